import gzip
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from distml.config import SourceConfig
from distml.errors import DataError
from distml.reading.lines import BLOCK_BYTES
from distml.reading.log import ReadLog
from distml.reading.source import fingerprint, list_fragments, read_fragment, read_head


def read(source: SourceConfig) -> pa.Table:
    blocks = [block for fragment in list_fragments(source) for block in read_fragment(fragment, source)]
    return pa.concat_tables(blocks) if blocks else pa.table({})


@pytest.fixture
def text(tmp_path: Path):
    """Reads a text file of the given content."""

    def read_text(content: str | bytes, name: str = "rows.csv", **dialect) -> pa.Table:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read(SourceConfig(uri=str(path), **dialect))

    return read_text


AB = {"a": ["1", "3"], "b": ["2", "4"]}
NAMED = {"header": False, "columns": ["a", "b"]}


@pytest.mark.parametrize(
    ("content", "dialect"),
    [
        ("a,b\n1,2\n3,4\n", {}),
        ("a,b\n1,2\n3,4", {}),
        ("a,b\r\n1,2\r\n3,4\r\n", {}),
        (" a ,\tb\n1,2\n3,4\n", {}),
        ('a,b\n"1","2"\n3,4\n', {}),
        ("\n\na,b\n\n1,2\n\n\n3,4\n\n", {}),
        ("\ufeffa,b\n1,2\n3,4\n", {}),
        ('\ufeff"a","b"\n1,2\n3,4\n', {}),
        ("a;b\n1;2\n3;4\n", {"delimiter": ";"}),
        ("a|b\n1|2\n3|4\n", {"delimiter": "|"}),
        ("1,2\n3,4\n", NAMED),
        ("\ufeff1,2\n3,4\n", NAMED),
        ("x,y\n1,2\n3,4\n", {"columns": ["a", "b"]}),
        ("# one\na,b\n1,2\n# two\n# three\n3,4\n# four", {"comment": "#"}),
        ("\ufeff# one\na,b\n1,2\n3,4\n", {"comment": "#"}),
        ("|1x3 Cross validator\n1,2\n3,4\n", {"comment": "|", **NAMED}),
        ("//\r\na,b\r\n1,2\r\n//x\r\n3,4\r\n", {"comment": "//"}),
        ("a,b\n1,2\n3,4\n".encode("utf-16"), {"encoding": "utf-16"}),
    ],
)
def test_dialects(text, content, dialect):
    assert text(content, **dialect).to_pydict() == AB


@pytest.mark.parametrize("name", ["rows.tsv", "rows.tsv.gz"])
def test_tsv_is_split_at_tabs(text, name):
    content = b"a\tb\n1\t2\n3\t4\n"
    assert text(gzip.compress(content) if name.endswith(".gz") else content, name).to_pydict() == AB


@pytest.mark.parametrize("name", ["rows.csv.gz", "rows.data.gz"])
def test_gzip(text, name):
    assert text(gzip.compress(b"a,b\n1,2\n3,4\n"), name).to_pydict() == AB


def test_texts_stay_as_they_are_written(text):
    table = text('a,b\n 1 ,"x, ""y""\nz"\nNA,\n#,ü\n')
    assert table.to_pydict() == {"a": [" 1 ", "NA", "#"], "b": ['x, "y"\nz', "", "ü"]}
    assert table.schema.types == [pa.string(), pa.string()]


def test_a_header_may_span_lines(text):
    assert text('"a\nx",b\n1,2\n').to_pydict() == {"a\nx": ["1"], "b": ["2"]}


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252"])
def test_encodings(text, encoding):
    assert text("ä,b\né,2\n".encode(encoding), encoding=encoding).to_pydict() == {"ä": ["é"], "b": ["2"]}


@pytest.mark.parametrize(
    ("content", "dialect"),
    [("", {}), ("", NAMED), ("\n\n", {}), ("# a\n# b", {"comment": "#"}), ("a,b\n", {}), ("a,b", {}), ("\n", NAMED)],
)
def test_a_file_without_rows_is_read_as_none(text, content, dialect):
    assert text(content, **dialect).num_rows == 0


@pytest.mark.parametrize(
    ("content", "dialect", "where", "received"),
    [
        ("a,b\n1,2\n3\n4,5\n", {}, "line 3", "1 in '3'"),
        ("a,b\n1,2,3\n", {}, "line 2", "3 in '1,2,3'"),
        ("a,b\n3\n", {}, "line 2", "1 in '3'"),
        ("1,2\n3\n", NAMED, "line 2", "1 in '3'"),
        ("#\na,b\n\n1,2\n#\n3;4\n", {"comment": "#"}, "line 6", "1 in '3;4'"),
        ('a,b\n"1\n\n1",2\r\n3\n', {}, "line 5", "1 in '3'"),
        ("a,b\n" + "1,2\n" * 5 + "x" * 100 + "\n", {}, "line 7", f"1 in '{'x' * 77}...'"),
    ],
)
def test_a_ragged_line_is_quoted_with_its_file(text, tmp_path, content, dialect, where, received):
    with pytest.raises(DataError, match="every line has 2 values") as caught:
        text(content, **dialect)
    assert caught.value.where == f"{tmp_path}/rows.csv, {where}"
    assert caught.value.received == received


@pytest.mark.parametrize(
    ("content", "name", "dialect", "rule"),
    [
        ("a,é\n1,2\n".encode("latin-1"), "rows.csv", {}, "a text table is written in utf-8"),
        ("1,é\n".encode("latin-1"), "rows.csv", NAMED, "a text table is written in utf-8"),
        (b"a,b\n1,2\n", "rows.csv.gz", {}, "a file can be read to its end"),
        (gzip.compress(b"a,b\n1,2\n" * 9999)[:100], "rows.csv.gz", {}, "a file can be read to its end"),
        (gzip.compress(b"a,b\n1,2\n"), "rows.csv", {}, "a text table is text"),
        (b"PK\x03\x04...", "rows.csv", {}, "a text table is text"),
        (b'a,b\n1,"2\n3,4\n', "rows.csv", {}, "a quoted value ends with a quote"),
        (b"a,b\n1,2\x00\n", "rows.csv", {}, "a text holds no null bytes"),
        (b"a,b\n1,2\n", "rows.parquet", {}, "a Parquet file is whole"),
        (b"PAR1garbagePAR1", "rows.parquet", {}, "a Parquet file is whole"),
    ],
)
def test_a_file_that_is_not_what_it_should_be_is_refused(text, tmp_path, content, name, dialect, rule):
    with pytest.raises(DataError) as caught:
        text(content, name, **dialect)
    assert caught.value.rule == rule
    assert caught.value.where.startswith(str(tmp_path / name))


def test_a_damaged_page_is_refused(tmp_path):
    path = tmp_path / "rows.parquet"
    pq.write_table(
        pa.table({"a": np.random.default_rng(0).random(1000)}), path, compression="gzip", use_dictionary=False
    )
    content = bytearray(path.read_bytes())
    content[200:400] = bytes(200)
    path.write_bytes(content)
    with pytest.raises(DataError, match="a Parquet file is whole"):
        read(SourceConfig(uri=str(path)))


# Comments and blocks


@pytest.mark.parametrize("offset", [-3, -2, -1, 0, 1, 2])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_comment_at_a_buffers_bound_is_skipped(text, offset, newline):
    head = f"a,b{newline}"
    comment = f"#{'c' * 20}{newline}"
    row = f"{'x' * 10},1{newline}"
    rows = ((1 << 20) + offset - len(head) - len(comment)) // len(row)
    filler = (1 << 20) + offset - len(head) - rows * len(row)
    content = head + row * (rows - 1) + f"{'x' * (10 + filler)},1{newline}" + comment + row * 3
    assert abs(content.index("#") - (1 << 20)) <= 3
    table = text(content, comment="#")
    assert table.num_rows == rows + 3
    assert set(table.column("b").to_pylist()) == {"1"}


@given(st.lists(st.sampled_from(["#", "#x", "1", "", "22", " #"]), max_size=30), st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_line_is_a_comment_if_it_starts_as_one(text, lines, ends):
    content = "\n".join(lines) + ("\n" if ends else "")
    table = text(content, comment="#", header=False, columns=["a"])
    kept = [line for line in lines if line and not line.startswith("#")]
    assert (table.column("a").to_pylist() if table.num_rows else []) == kept


def test_large_files_come_in_blocks(text, tmp_path):
    row = "x" * 1000 + "\n"
    text("a\n" + row * 20_000)
    source = SourceConfig(uri=str(tmp_path / "rows.csv"))
    (fragment,) = list_fragments(source)
    blocks = list(read_fragment(fragment, source))
    assert len(blocks) == 2
    assert sum(block.num_rows for block in blocks) == 20_000
    assert blocks[0].nbytes <= BLOCK_BYTES * 1.1


def test_a_ragged_line_in_a_later_block_is_refused(text):
    with pytest.raises(DataError, match="every line has 2 values") as caught:
        text("a,b\n" + f"{'x' * 1000},1\n" * 20_000 + "ragged\n")
    assert caught.value.received == "1 in 'ragged'"


# Files


def names(uri: str | Path, **dialect) -> list[str]:
    return [Path(fragment.path).name for fragment in list_fragments(SourceConfig(uri=str(uri), **dialect))]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.csv", "a.csv", "sub/c.csv", ".hidden.csv", ".cache/e.csv"):
        path = tmp_path / "rows" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"x\n{path.stem}\n")
    return tmp_path / "rows"


@pytest.mark.parametrize(
    ("pattern", "wanted"),
    [
        ("", ["a.csv", "b.csv", "c.csv"]),
        ("*.csv", ["a.csv", "b.csv"]),
        ("[b]*", ["b.csv"]),
        ("?.csv", ["a.csv", "b.csv"]),
        ("**", ["a.csv", "b.csv", "c.csv"]),
        ("**/*.csv", ["a.csv", "b.csv", "c.csv"]),
        ("sub", ["c.csv"]),
        (".hidden.csv", [".hidden.csv"]),
    ],
)
def test_folders_and_patterns_give_each_file_once_in_order_of_names(folder, pattern, wanted):
    assert names(folder / pattern) == wanted


def test_what_other_tools_leave_in_a_folder_is_not_read(folder):
    for name in ("_SUCCESS", "_temporary/d.csv", "sub/_metadata"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("")
    assert names(folder) == ["a.csv", "b.csv", "c.csv"]


def test_files_are_read_in_order(folder):
    assert read(SourceConfig(uri=str(folder))).column("x").to_pylist() == ["a", "b", "c"]
    assert [fragment.index for fragment in list_fragments(SourceConfig(uri=str(folder)))] == [0, 1, 2]


def test_a_name_may_look_like_a_pattern(tmp_path):
    (tmp_path / "rows[1].csv").write_text("x\n1\n")
    assert names(tmp_path / "rows[1].csv") == ["rows[1].csv"]


def test_file_uris(folder):
    assert names(f"file://{folder}/a.csv") == ["a.csv"]
    assert read(SourceConfig(uri=f"file://{folder}/a.csv")).to_pydict() == {"x": ["a"]}


def test_a_path_may_be_relative(folder, monkeypatch):
    monkeypatch.chdir(folder)
    assert names("a.csv") == ["a.csv"]
    assert os.path.isabs(list_fragments(SourceConfig(uri="a.csv"))[0].path)


@pytest.mark.parametrize("pattern", ["none.csv", "*.parquet", "none", "none/*.csv"])
def test_nothing_there_is_refused(folder, pattern):
    with pytest.raises(DataError, match="at least one file") as caught:
        names(folder / pattern)
    assert caught.value.received == f"nothing at {folder / pattern}"
    assert caught.value.where == "data.source.uri"


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(DataError, match="at least one file"):
        names(tmp_path)


def test_an_unknown_format_is_refused_unless_it_is_given(tmp_path):
    path = tmp_path / "rows.xyz"
    path.write_text("a\n1\n")
    with pytest.raises(DataError, match="shows in its name or is given") as caught:
        names(path)
    assert caught.value.received == str(path)
    assert caught.value.remedy.startswith("set data.source.format: csv, ")
    assert read(SourceConfig(uri=str(path), format="csv")).to_pydict() == {"a": ["1"]}


def test_a_file_beside_the_tables_is_refused_with_how_to_name_the_others(tmp_path):
    (tmp_path / "rows.csv").write_text("a\n1\n")
    (tmp_path / "notes.md").write_text("about rows.csv")
    with pytest.raises(DataError, match="shows in its name or is given") as caught:
        names(tmp_path)
    assert caught.value.received == str(tmp_path / "notes.md")
    assert caught.value.remedy.startswith("name the table's files by a pattern, as folder/*.csv, or set data.source.")
    assert read(SourceConfig(uri=str(tmp_path / "*.csv"))).to_pydict() == {"a": ["1"]}


def test_an_unknown_scheme_is_refused():
    with pytest.raises(DataError, match="a path or a URI that pyarrow reads"):
        names("nope://x")


# Parquet


def test_parquet_keeps_its_types(tmp_path):
    table = pa.table({"a": pa.array([1, None]), "b": ["x", "y"], "c": pa.array(["u", "u"]).dictionary_encode()})
    pq.write_table(table, tmp_path / "rows.parquet")
    assert read(SourceConfig(uri=str(tmp_path / "rows.parquet"))).equals(table)


def test_row_groups_are_fragments_of_their_own_where_they_are_large(tmp_path):
    path = tmp_path / "rows.parquet"
    table = pa.table({"a": np.random.default_rng(0).random(18_000_000)})
    pq.write_table(
        table, path, row_group_size=5_000_000, use_dictionary=False, compression=None, write_statistics=False
    )
    source = SourceConfig(uri=str(path))
    fragments = list_fragments(source)
    assert [fragment.row_groups for fragment in fragments] == [(0, 1), (2, 3)]
    assert [(fragment.index, fragment.first_row) for fragment in fragments] == [(0, 0), (1, 10_000_000)]
    rows = [sum(block.num_rows for block in read_fragment(fragment, source)) for fragment in fragments]
    assert rows == [10_000_000, 8_000_000]
    first = next(read_fragment(fragments[1], source))
    assert first.column("a")[0] == table.column("a")[10_000_000]


def test_small_row_groups_are_read_together(tmp_path):
    pq.write_table(pa.table({"a": range(10)}), tmp_path / "rows.parquet", row_group_size=3)
    (fragment,) = list_fragments(SourceConfig(uri=str(tmp_path / "rows.parquet")))
    assert fragment.row_groups == (0, 1, 2, 3)


@pytest.mark.parametrize("num_groups", [0, 1])
def test_a_parquet_file_may_have_no_rows(tmp_path, num_groups):
    table = pa.table({"a": pa.array([], pa.int64())})
    with pq.ParquetWriter(tmp_path / "rows.parquet", table.schema) as writer:
        for _ in range(num_groups):
            writer.write_table(table)
    assert read(SourceConfig(uri=str(tmp_path / "rows.parquet"))).num_rows == 0


# Bundled tables


@pytest.mark.parametrize(
    ("name", "rows", "columns", "classes"),
    [
        ("iris", 150, 5, {"setosa", "versicolor", "virginica"}),
        ("breast_cancer", 569, 31, {"malignant", "benign"}),
        ("wine", 178, 14, {"class_0", "class_1", "class_2"}),
        ("digits", 1797, 65, set(range(10))),
        ("diabetes", 442, 11, None),
    ],
)
def test_bundled_tables(name, rows, columns, classes):
    table = read(SourceConfig(uri=f"sklearn:{name}"))
    assert (table.num_rows, table.num_columns) == (rows, columns)
    assert all(column.isidentifier() for column in table.column_names)
    if classes is not None:
        assert set(table.column("target").to_pylist()) == classes


def test_a_bundled_table_that_is_not_known_is_refused():
    with pytest.raises(DataError, match="scikit-learn carries") as caught:
        list_fragments(SourceConfig(uri="sklearn:boston"))
    assert "sklearn:iris" in caught.value.remedy


# Heads and fingerprints


@pytest.mark.parametrize(
    ("num_rows", "wanted"), [(1, ["a0"]), (3, ["a0", "a1", "a2"]), (100, ["a0", "a1", "a2", "a3"])]
)
def test_the_head_is_of_the_first_file_with_rows(tmp_path, num_rows, wanted):
    (tmp_path / "0.csv").write_text("x\n")
    (tmp_path / "a.csv").write_text("x\na0\na1\na2\na3\n")
    (tmp_path / "b.csv").write_text("other\nb0\n")
    assert read_head(SourceConfig(uri=str(tmp_path)), num_rows).column("x").to_pylist() == wanted


def test_the_head_of_nothing_is_empty(tmp_path):
    (tmp_path / "a.csv").write_text("")
    assert read_head(SourceConfig(uri=str(tmp_path)), 10).num_rows == 0


def test_a_fingerprint_follows_settings_and_files(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("x\n1\n")
    os.utime(path, ns=(0, 0))
    source = SourceConfig(uri=str(tmp_path))
    before = fingerprint(source)
    assert fingerprint(source) == before
    assert fingerprint(source.model_copy(update={"missing": ("", "?")})) != before
    os.utime(path, ns=(0, 1))
    touched = fingerprint(source)
    assert touched != before
    (tmp_path / "b.csv").write_text("x\n1\n")
    assert len(fingerprint(source)) == len(touched) + 1
    with pytest.raises(DataError, match="at least one file"):
        fingerprint(SourceConfig(uri=str(tmp_path / "none")))


def test_a_bundled_table_has_a_fingerprint():
    assert fingerprint(SourceConfig(uri="sklearn:iris")) != fingerprint(SourceConfig(uri="sklearn:wine"))


def test_names_for_another_number_of_columns_than_the_header_has_are_refused(tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    source = SourceConfig(uri=str(tmp_path / "t.csv"), columns=["x", "y", "z"])
    with pytest.raises(DataError, match="names every column"):
        read_head(source, 10)


def test_comment_lines_are_counted(tmp_path):
    (tmp_path / "t.csv").write_text("# one\na,b\n1,2\n# two\n3,4\n# three\n")
    source = SourceConfig(uri=str(tmp_path / "t.csv"), comment="#")
    log = ReadLog()
    (fragment,) = list_fragments(source)
    assert sum(table.num_rows for table in read_fragment(fragment, source, log)) == 2
    (finding,) = log.findings()
    assert (finding.rule, finding.count, finding.file) == ("no comment lines", 3, str(tmp_path / "t.csv"))
    assert finding.examples == ((1, "# one"), (4, "# two"), (6, "# three"))
