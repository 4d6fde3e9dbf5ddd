import datetime
import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distml.config import SourceConfig
from distml.errors import DataError
from distml.reading.changes import ABSENT, EXTRA, REORDERED, RETYPED
from distml.reading.files import Fragment
from distml.reading.layout import in_layout, lay_out
from distml.reading.source import list_fragments, read_fragment, read_head, read_layout


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


# Aligned


def aligned(tmp_path, files, **settings):
    """The rows of texts and columns by file name, read aligned, and what differs."""
    for name, content in files.items():
        if isinstance(content, str):
            (tmp_path / name).write_text(content)
        else:
            pq.write_table(pa.table(content), tmp_path / name)
    source = SourceConfig(uri=str(tmp_path), **{"schema_changes": "align", **settings})
    fragments = list_fragments(source)
    rows = [row for part in fragments for table in read_fragment(part, source) for row in table.to_pylist()]
    findings = read_layout(fragments, source).findings
    told = {(f.rule, f.column): (f.action, f.count, [Path(p).name for _, p in f.examples]) for f in findings}
    return rows, told


def test_columns_that_most_files_have_are_the_tables(tmp_path):
    files = {"a.csv": "x,y\n1,2\n", "b.csv": "y\n3\n", "c.csv": "z,y,x\n4,5,6\n", "d.csv": ""}
    rows, told = aligned(tmp_path, files)
    assert rows == [{"x": "1", "y": "2"}, {"x": None, "y": "3"}, {"x": "6", "y": "5"}]
    assert told == {
        (ABSENT, "x"): ("null", 1, ["b.csv"]),
        (EXTRA, "z"): ("ignore", 1, ["c.csv"]),
        (REORDERED, None): ("keep", 1, ["c.csv"]),
    }


def test_the_head_is_aligned_too(tmp_path):
    (tmp_path / "a.csv").write_text("x\n1\n")
    (tmp_path / "b.csv").write_text("x,y\n1,2\n")
    (tmp_path / "c.csv").write_text("x,y\n1,2\n")
    source = SourceConfig(uri=str(tmp_path), schema_changes="align")
    assert read_head(source, 10).to_pydict() == {"x": ["1"], "y": [None]}


def test_types_are_widened_to_texts_at_last(tmp_path):
    files = {
        "a.parquet": {"x": [1], "n": [1]},
        "b.parquet": {"x": ["u"], "n": [0.5]},
        "c.parquet": {"x": [2], "n": [2]},
    }
    rows, told = aligned(tmp_path, files)
    assert rows == [{"x": "1", "n": 1.0}, {"x": "u", "n": 0.5}, {"x": "2", "n": 2.0}]
    assert told == {
        (RETYPED, "x"): ("replace", 2, ["a.parquet", "c.parquet"]),
        (RETYPED, "n"): ("replace", 2, ["a.parquet", "c.parquet"]),
    }


def test_texts_of_another_length_are_no_change_and_every_type_is_told(tmp_path):
    wide, narrow = pa.array(["u"], pa.large_string()), pa.array(["u"], pa.string())
    files = {"a.parquet": {"x": wide}, "b.parquet": {"x": [1]}, "c.parquet": {"x": narrow}, "d.parquet": {"x": [0.5]}}
    _, told = aligned(tmp_path, files)
    assert told == {(RETYPED, "x"): ("replace", 2, ["b.parquet", "d.parquet"])}
    source = SourceConfig(uri=str(tmp_path), schema_changes="align")
    (finding,) = read_layout(list_fragments(source), source).findings
    assert finding.remedy in ("read as string, not int64, double", "read as large_string, not int64, double")


def test_what_has_no_text_is_refused_aligned_too(tmp_path):
    with pytest.raises(DataError, match="write a column's values alike"):
        aligned(tmp_path, {"a.parquet": {"x": [1]}, "b.parquet": {"x": [[1]]}})


def test_renamed_columns_are_one(tmp_path):
    files = {"a.csv": "Fare Amount,tip\n1,2\n", "b.csv": "fare_amount,tip\n3,4\n"}
    rows, told = aligned(tmp_path, files, schema_changes="fail", rename={"Fare Amount": "fare_amount"})
    assert (rows, told) == ([{"fare_amount": "1", "tip": "2"}, {"fare_amount": "3", "tip": "4"}], {})


def test_a_variant_of_a_name_is_supposed_to_be_the_same(tmp_path, layout_of):
    with pytest.raises(DataError, match="same columns") as caught:
        layout_of({"a.csv": "fare_amount\n1\n", "b.csv": "Fare Amount\n3\n"})
    assert "set data.source.rename: {Fare Amount: fare_amount}" in caught.value.remedy
    source = SourceConfig(uri=str(tmp_path), schema_changes="align")
    remedies = {f.column: f.remedy for f in read_layout(list_fragments(source), source).findings}
    assert remedies["fare_amount"] == "where they are the same, set data.source.rename: {Fare Amount: fare_amount}"


def test_renaming_what_no_file_has_is_refused(layout_of):
    with pytest.raises(DataError, match="names a column of some file") as caught:
        layout_of({"a.csv": "fare_amount\n1\n"}, rename={"fare_amout": "fare"})
    assert caught.value.remedy == "did you mean 'fare_amount'?"


@given(st.permutations(["a.csv", "b.csv", "c.csv"]), st.lists(st.sets(st.sampled_from("wxyz"), min_size=1), min_size=3))
@settings(max_examples=30)
def test_the_layout_has_what_half_of_the_files_have(paths, columns):
    schemas = {
        path: pa.schema([(name, pa.string()) for name in sorted(names)])
        for path, names in zip(paths, columns, strict=False)
    }
    fragments = [Fragment(index=i, path=path, format="csv") for i, path in enumerate(schemas)]
    layout = lay_out(fragments, schemas, SourceConfig(uri="x", schema_changes="align"))
    counts = {name: sum(name in schema.names for schema in schemas.values()) for name in "wxyz"}
    assert set(layout.schema.names) == {name for name, count in counts.items() if 2 * count >= len(schemas)}
    assert sum(f.count for f in layout.findings if f.rule == EXTRA) == sum(
        count for name, count in counts.items() if name not in layout.schema.names
    )


def test_taxi_of_another_year_is_refused_or_aligned(shared_data):
    uri = str(shared_data / "nyc_taxi" / "yellow_tripdata_sample_20[12]*.csv")
    source = SourceConfig(uri=uri)
    with pytest.raises(DataError, match="same columns") as caught:
        read_layout(list_fragments(source), source)
    assert "_2021" in str(caught.value)
    source = SourceConfig(uri=uri, schema_changes="align")
    layout = read_layout(list_fragments(source), source)
    assert len(layout.schema.names) == 18
    assert all("_2021" in finding.file for finding in layout.findings)
