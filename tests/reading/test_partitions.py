"""Columns from the names of folders."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from distml.config import SourceConfig
from distml.errors import DataError
from distml.reading.source import list_fragments, read_fragment, read_head, read_layout
from distml.reading.survey import survey


def write(folder: Path, *paths: str) -> Path:
    for number, path in enumerate(paths):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        if path.endswith("parquet"):
            pq.write_table(pa.table({"x": [number]}), folder / path)
        else:
            (folder / path).write_text(f"x\n{number}\n")
    return folder


def rows(uri: Path | str, **settings) -> list[dict]:
    source = SourceConfig(uri=str(uri), **settings)
    return [row for part in list_fragments(source) for t in read_fragment(part, source) for row in t.to_pylist()]


def test_values_are_typed_as_all_of_them_say(tmp_path):
    write(tmp_path, "year=2023/city=S%C3%A3o%20P/a.csv", "year=2024/city=7/b.csv")
    assert rows(tmp_path) == [
        {"x": "0", "year": 2023, "city": "São P"},
        {"x": "1", "year": 2024, "city": "7"},
    ]


def test_null_is_written_in_hives_way(tmp_path):
    write(tmp_path, "m=05/a.parquet", "m=__HIVE_DEFAULT_PARTITION__/b.parquet")
    assert {(row["x"], row["m"]) for row in rows(tmp_path)} == {(0, 5), (1, None)}
    source = SourceConfig(uri=str(tmp_path))
    assert read_layout(list_fragments(source), source).schema == pa.schema([("x", pa.int64()), ("m", pa.int64())])


@pytest.mark.parametrize("pattern", ["", "year=*", "year=*/*.csv", "**/*.csv"])
def test_folders_count_below_what_the_source_names(tmp_path, pattern):
    write(tmp_path, "in=1/year=2023/a.csv", "in=1/year=2024/b.csv")
    assert [row.get("year") for row in rows(tmp_path / "in=1" / pattern)] == [2023, 2024]
    assert "in" not in rows(tmp_path / "in=1" / pattern)[0]


def test_one_file_is_no_partition(tmp_path):
    write(tmp_path, "year=2023/a.csv")
    assert rows(tmp_path / "year=2023" / "a.csv") == [{"x": "0"}]


def test_what_lies_elsewhere_is_no_partition_unless_asked_for(tmp_path):
    write(tmp_path, "year=2023/a.csv", "b.csv")
    assert [list(row) for row in rows(tmp_path)] == [["x"], ["x"]]
    with pytest.raises(DataError, match="folders named key=value") as caught:
        rows(tmp_path, hive=True)
    assert "b.csv" in caught.value.received
    assert [list(row) for row in rows(tmp_path / "year=2023", hive=False)] == [["x"]]


def test_a_column_that_the_file_has_too_is_refused(tmp_path):
    write(tmp_path, "x=1/a.csv", "x=2/b.csv")
    with pytest.raises(DataError, match="in the file or in its folder") as caught:
        read_head(SourceConfig(uri=str(tmp_path)), 1)
    assert caught.value.where.endswith("a.csv")
    assert rows(tmp_path, hive=False) == [{"x": "0"}, {"x": "1"}]


def test_init_sees_them(tmp_path):
    write(tmp_path, "year=2023/a.csv", "year=2024/b.csv")
    found = survey(str(tmp_path), target="year")
    assert [file.names for file in found.files] == [("x", "year"), ("x", "year")]
