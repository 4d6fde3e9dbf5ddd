"""Preparation of tables as files bring them: what reading found is told, and the same rows are the same table."""

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from distml.config import RunConfig
from distml.data import LocalEngine
from distml.errors import DataError
from distml.lifecycle.prepare import prepare
from distml.lifecycle.prepared import Prepared
from distml.reading import lines, ranges
from distml.storage import Storage
from tables import raw_table

TABLE = raw_table(240).select(["y", *[name for name in raw_table(1).column_names if name != "y"][:3]])


def text(table: pa.Table, delimiter: str = ",") -> str:
    frame = table.to_pandas()
    return frame.to_csv(index=False, sep=delimiter)


@pytest.fixture
def prepared(tmp_path: Path):
    """Prepares the files below a folder."""

    def prepared(folder: Path, **source) -> Prepared:
        data = {"source": {"uri": str(folder), **source}, "target": "y"}
        config = RunConfig.model_validate({"name": "demo", "data": data, "clean": {"duplicates": "keep"}})
        return prepare(config, Storage(tmp_path / "store"), LocalEngine())

    return prepared


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four files of one table."""
    (tmp_path / "in").mkdir()
    for k in range(4):
        (tmp_path / "in" / f"{k}.csv").write_text(text(TABLE.slice(60 * k, 60)))
    return tmp_path / "in"


def told(result: Prepared) -> dict[str, tuple]:
    return {f.rule: (f.action, f.count, f.file and Path(f.file).name, f.examples) for f in result.findings}


def dealt(result: Prepared) -> tuple:
    """The splits' rows, whatever they came from."""
    return result.num_rows, sorted(map(str, result.rows("test")[0].to_pylist()))


def test_what_is_no_row_is_told_with_file_and_line(folder, prepared):
    whole = prepared(folder)
    with (folder / "1.csv").open("a") as stream:
        stream.write("\n1\n# note\n")
    result = prepared(folder, comment="#", ragged="quarantine")
    assert told(result)["no blank lines"] == ("drop", 1, "1.csv", ((62, ""),))
    assert told(result)["every line has 4 values"] == ("quarantine", 1, "1.csv", ((63, "1"),))
    assert told(result)["no comment lines"] == ("drop", 1, "1.csv", ((64, "# note"),))
    assert dealt(result) == dealt(whole)
    (name,) = result.storage.list(f"{result.prefix}/quarantine")
    aside = result.storage.read_bytes(f"{result.prefix}/quarantine/{name}")
    assert pa.ipc.open_file(aside).read_all().column("line").to_pylist() == [63]


@pytest.mark.parametrize(
    ("fault", "where"),
    [("1\n", "2.csv, line 62"), ('"', "2.csv, line 62"), (b"\xff\n", "2.csv, line 62"), ("\0,,,\n", "2.csv, line 62")],
)
def test_a_fault_ends_preparation_with_its_line(folder, prepared, fault, where):
    with (folder / "2.csv").open("ab") as stream:
        stream.write(fault if isinstance(fault, bytes) else fault.encode())
    with pytest.raises(DataError) as caught:
        prepared(folder)
    assert caught.value.where == f"{folder}/{where}"


def test_no_line_is_shown_of_a_table_with_private_columns(folder, tmp_path):
    data = {"source": {"uri": str(folder), "ragged": "drop"}, "target": "y", "private": [TABLE.column_names[1]]}
    with (folder / "1.csv").open("a") as stream:
        stream.write("secret\n")
    config = RunConfig.model_validate({"name": "demo", "data": data})
    result = prepare(config, Storage(tmp_path / "store"), LocalEngine())
    assert told(result)["every line has 4 values"] == ("drop", 1, "1.csv", ((62, "(private)"),))
    data["source"]["ragged"] = "fail"
    with pytest.raises(DataError, match="every line has 4 values") as caught:
        prepare(RunConfig.model_validate({"name": "demo", "data": data}), Storage(tmp_path / "store"), LocalEngine())
    assert caught.value.received == "1 in '(private)'"
    del data["source"]["ragged"]
    with (folder / "0.csv").open("ab") as stream:
        stream.write(b"secret\xff,1,a,b\n")
    with pytest.raises(DataError, match="is written in utf-8") as caught:
        prepare(RunConfig.model_validate({"name": "demo", "data": data}), Storage(tmp_path / "store"), LocalEngine())
    assert caught.value.received == "byte ff in '(private)'"
    data["source"] = {"uri": str(tmp_path / "rows.jsonl")}
    (tmp_path / "rows.jsonl").write_text('{"x": "secret"\n')
    with pytest.raises(DataError, match="every line is a JSON object") as caught:
        prepare(RunConfig.model_validate({"name": "demo", "data": data}), Storage(tmp_path / "store"), LocalEngine())
    assert "secret" not in str(caught.value)


def test_files_of_other_columns_are_refused_or_aligned(folder, prepared):
    whole = prepared(folder)
    last = TABLE.slice(180, 60).append_column("more", pa.array(["x"] * 60))
    (folder / "3.csv").write_text(text(last.select(last.column_names[::-1])))
    with pytest.raises(DataError, match="same columns") as caught:
        prepared(folder)
    assert "3.csv" in caught.value.received
    result = prepared(folder, schema_changes="align")
    assert dealt(result) == dealt(whole)
    assert told(result)["no file has columns that most don't"][:3] == ("ignore", 1, "3.csv")
    assert told(result)["all files have their columns in one order"][:3] == ("keep", 1, "3.csv")


def test_a_column_that_turns_into_texts_is_refused_with_file_and_row(folder, prepared):
    name = next(field.name for field in TABLE.schema if pa.types.is_floating(field.type))
    table = TABLE.slice(180, 60).to_pandas()
    table[name] = table[name].astype(object)
    table.loc[41, name] = "n/k"
    (folder / "3.csv").write_text(table.to_csv(index=False))
    with pytest.raises(DataError, match="a numeric column holds numbers") as caught:
        prepared(folder)
    assert caught.value.where == f"{folder}/3.csv, row 41, column {name}"


def test_the_same_rows_are_the_same_table_however_they_are_written(tmp_path, folder, prepared, monkeypatch):
    whole = dealt(prepared(folder))
    one = tmp_path / "one"
    one.mkdir()
    (one / "t.csv.gz").write_bytes(gzip.compress(text(TABLE, ";").encode("utf-16")))
    assert dealt(prepared(one, delimiter=";", encoding="utf-16")) == whole
    (tmp_path / "t.csv").write_text(text(TABLE))
    monkeypatch.setattr(ranges, "SPLIT_BYTES", 1)
    monkeypatch.setattr(ranges, "RANGE_BYTES", 512)
    monkeypatch.setattr(lines.read_blocks, "__defaults__", (512,))
    assert dealt(prepared(tmp_path / "t.csv")) == whole


def test_formats_bring_the_same_rows(tmp_path, prepared):
    table = TABLE.select(["y", next(f.name for f in TABLE.schema if pa.types.is_floating(f.type))])
    pq.write_table(table, tmp_path / "t.parquet")
    with pa.OSFile(str(tmp_path / "t.arrow"), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    rows = table.to_pylist()
    (tmp_path / "t.jsonl").write_text("\n".join(json.dumps(row, allow_nan=False) for row in rows))
    (tmp_path / "t.json").write_text(json.dumps(rows, indent=1))
    first, *others = (dealt(prepared(tmp_path / f"t.{kind}")) for kind in ("parquet", "arrow", "jsonl", "json"))
    assert all(other == first for other in others)


def test_folders_names_are_features(tmp_path, prepared):
    for k, year in enumerate((2023, 2024)):
        (tmp_path / f"year={year}").mkdir()
        (tmp_path / f"year={year}" / "t.csv").write_text(text(TABLE.slice(120 * k, 120)))
    result = prepared(tmp_path)
    assert result.schema["year"].kind == "numeric"
    assert result.baseline.columns["year"].max == 2024
