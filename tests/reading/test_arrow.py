"""Arrow IPC files and streams, and Feather."""

import gzip
import warnings

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pytest

from distml.config import SourceConfig
from distml.errors import DataError
from distml.reading import arrow
from distml.reading.source import list_fragments, read_fragment, read_layout

TABLE = pa.table({"a": [1, None, 3], "b": ["x", "y", None], "c": pa.array(["u", "v", "u"]).dictionary_encode()})


def write(path, kind: str) -> None:
    if kind.startswith("feather"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # version 1 is old
            table = TABLE if kind == "feather2" else TABLE.drop_columns("c")
            pyarrow.feather.write_feather(table, path, version=int(kind[-1]))
        return
    make = pa.ipc.new_stream if kind == "stream" else pa.ipc.new_file
    with pa.OSFile(str(path), "wb") as sink, make(sink, TABLE.schema) as writer:
        writer.write_table(TABLE, max_chunksize=2)


def read(path, **settings) -> pa.Table:
    source = SourceConfig(uri=str(path), **settings)
    return pa.concat_tables(t for part in list_fragments(source) for t in read_fragment(part, source))


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("file", "t.arrow"),
        ("stream", "t.arrows"),
        ("feather2", "t.feather"),
        ("file", "t.ipc"),
        ("feather1", "t.feather"),
    ],
)
@pytest.mark.parametrize("compressed", [False, True])
def test_every_form_is_read(tmp_path, kind, name, compressed):
    path = tmp_path / name
    write(path, kind)
    if compressed:
        path = tmp_path / f"{name}.gz"
        path.write_bytes(gzip.compress((tmp_path / name).read_bytes()))
    wanted = TABLE.drop_columns("c") if kind == "feather1" else TABLE
    assert read(path).to_pylist() == wanted.to_pylist()
    source = SourceConfig(uri=str(path))
    assert read_layout(list_fragments(source), source).schema.names == wanted.column_names


def test_a_large_file_is_read_in_runs_of_batches(tmp_path, monkeypatch):
    monkeypatch.setattr(arrow, "_RUN_BYTES", 1 << 12)
    table = pa.table({"a": np.arange(5000.0)})
    with pa.OSFile(str(tmp_path / "t.arrow"), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=300)
    source = SourceConfig(uri=str(tmp_path / "t.arrow"))
    parts = list_fragments(source)
    assert len(parts) > 3
    counts = [sum(t.num_rows for t in read_fragment(part, source)) for part in parts]
    assert [part.first_row for part in parts] == np.cumsum([0, *counts[:-1]]).tolist()
    assert read(tmp_path / "t.arrow").equals(table)


def test_no_rows(tmp_path):
    with pa.OSFile(str(tmp_path / "t.arrow"), "wb") as sink, pa.ipc.new_file(sink, TABLE.schema):
        pass
    assert read(tmp_path / "t.arrow").num_rows == 0


@pytest.mark.parametrize("content", [b"", b"abc", b"ARROW1\0\0garbage"])
def test_what_is_none_is_refused_by_name(tmp_path, content):
    path = tmp_path / "t.arrow"
    path.write_bytes(content)
    with pytest.raises(DataError, match="an Arrow file is whole") as caught:
        read(path)
    assert caught.value.where == str(path)
