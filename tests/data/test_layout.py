import datetime
import gzip

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from distml.config import SourceConfig
from distml.data.files import Fragment
from distml.data.layout import in_layout
from distml.data.source import list_fragments, read_layout
from distml.errors import DataError


@pytest.fixture
def layout_of(tmp_path):
    """The layout of files in a folder, given as texts or columns by name."""

    def layout_of(files, **dialect):
        for name, content in files.items():
            if isinstance(content, str):
                opener = gzip.open if name.endswith(".gz") else open
                with opener(tmp_path / name, "wt") as stream:
                    stream.write(content)
            else:
                pq.write_table(content if isinstance(content, pa.Table) else pa.table(content), tmp_path / name)
        source = SourceConfig(uri=str(tmp_path), **dialect)
        return read_layout(list_fragments(source), source).schema

    return layout_of


def test_texts_are_texts_and_the_first_file_gives_the_order(layout_of):
    layout = layout_of({"a.csv": "x,y\n1,2\n", "b.csv.gz": "y,x\n", "c.csv": "x, y\n"})
    assert layout == pa.schema([("x", pa.string()), ("y", pa.string())])


def test_names_may_be_given(layout_of):
    layout = layout_of({"a.csv": "1,2\n", "b.csv": ""}, header=False, columns=["x", "y"])
    assert layout.names == ["x", "y"]


@pytest.mark.parametrize(
    ("first", "second", "wanted"),
    [
        (pa.int64(), pa.int64(), pa.int64()),
        (pa.int64(), pa.float64(), pa.float64()),
        (pa.float64(), pa.int64(), pa.float64()),
        (pa.int8(), pa.int32(), pa.int32()),
        (pa.null(), pa.string(), pa.string()),
        (pa.string(), pa.large_string(), pa.large_string()),
        (pa.dictionary(pa.int8(), pa.string()), pa.string(), pa.string()),
        (pa.dictionary(pa.int8(), pa.string()), pa.dictionary(pa.int16(), pa.string()), pa.string()),
        (pa.string_view(), pa.string(), pa.string()),
        (pa.timestamp("ms"), pa.timestamp("us"), pa.timestamp("us")),
    ],
)
def test_types_become_one_that_holds_both(layout_of, first, second, wanted):
    empty = [pa.table({"x": pa.array([], kind)}) for kind in (first, second)]
    assert layout_of({"a.parquet": empty[0], "b.parquet": empty[1]}) == pa.schema([("x", wanted)])


def test_row_groups_are_of_one_file(tmp_path):
    pq.write_table(pa.table({"x": range(9)}), tmp_path / "a.parquet", row_group_size=2)
    source = SourceConfig(uri=str(tmp_path))
    assert read_layout(list_fragments(source), source).schema.names == ["x"]


def test_a_bundled_table_has_columns_too():
    source = SourceConfig(uri="sklearn:iris")
    assert "target" in read_layout(list_fragments(source), source).schema.names


@pytest.mark.parametrize(
    ("files", "wheres", "received"),
    [
        ({"a.csv": "x,y\n", "b.csv": "x\n"}, ["b.csv"], ["no column y", "a.csv"]),
        ({"a.csv": "x\n", "b.csv": "x,y\n"}, ["a.csv"], ["no column y", "b.csv"]),
        ({"a.csv": "x,y,x\n"}, ["a.csv"], ["x more than once"]),
        ({"a.csv": "x\n", "b.csv": "x,x\n"}, ["b.csv"], ["x more than once"]),
        ({"a.parquet": {"x": [1]}, "b.parquet": {"x": ["1"]}}, ["b.parquet", "column x"], ["string", "int64"]),
        ({"a.parquet": {"x": [1]}, "b.parquet": {"x": [[1]]}}, ["b.parquet", "column x"], ["list", "int64"]),
    ],
)
def test_what_differs_is_named_with_its_file(layout_of, files, wheres, received):
    with pytest.raises(DataError) as caught:
        layout_of(files)
    assert all(part in caught.value.where for part in wheres)
    assert all(part in caught.value.received for part in received)


@pytest.mark.parametrize("name", ["a.csv.gz", "a.parquet"])
def test_a_file_that_is_none_is_named(tmp_path, name):
    source = SourceConfig(uri=str(tmp_path))
    (tmp_path / "good.csv").write_text("x\n")
    kind = "parquet" if name.endswith("parquet") else "csv"
    fragments = [*list_fragments(source), Fragment(index=1, path=str(tmp_path / name), format=kind)]
    (tmp_path / name).write_bytes(b"x\n")
    with pytest.raises(DataError) as caught:
        read_layout(fragments, source)
    assert caught.value.where == str(tmp_path / name)


def test_tables_come_into_the_layout():
    layout = pa.schema([("x", pa.float64()), ("y", pa.string())])
    table = pa.table({"y": pa.array(["a", None]).dictionary_encode(), "z": [0, 0], "x": [1, 2]})
    assert in_layout(table, layout).equals(pa.table({"x": [1.0, 2.0], "y": ["a", None]}))
    assert in_layout(layout.empty_table(), layout).num_rows == 0


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([2**53 + 1], pa.float64()),
        ([0.5], pa.int64()),
        ([300], pa.int8()),
        ([datetime.datetime(1, 1, 1)], pa.timestamp("ns")),
    ],
)
def test_no_value_is_changed(values, kind):
    with pytest.raises(DataError, match="write a column's values alike") as caught:
        in_layout(pa.table({"x": values}), pa.schema([("x", kind)]))
    assert "column x" in caught.value.where
