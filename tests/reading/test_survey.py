"""Which files make one table, and the source that reads them."""

import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from distml.errors import DataError
from distml.reading.sample import sample_table
from distml.reading.source import list_fragments, read_head
from distml.reading.survey import Survey, survey


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)
    return folder


def files_of(found: Survey) -> list[str]:
    """What a run reads of it, by the reader's own listing."""
    return [Path(fragment.path).name for fragment in list_fragments(found.source)]


def settings(found: Survey) -> dict[str, object]:
    return {k: v for k, v in found.source.model_dump(exclude_defaults=True).items() if k != "uri"}


# One file


@pytest.mark.parametrize(
    ("name", "text", "wanted"),
    [
        ("t.csv", "a,b\n1,x\n", {}),
        ("t.csv", "a;b\n1;x\n", {"delimiter": ";"}),
        ("t.tsv", "a\tb\n1\tx\n", {}),
        ("t.tsv", "a,b\n1,x\n", {"delimiter": ","}),
        ("t.data", "1,x\n2,y\n", {"header": False, "columns": ("c1", "c2")}),
        ("t.xyz", "a,b\n1,x\n", {"format": "csv"}),
        ("t", "a,b\n1,x\n", {"format": "csv"}),
        ("t.csv", ",b\n1,x\n", {"columns": ("c1", "b")}),
        ("t.csv", "# hello\na,b\n1,x\n", {"comment": "#"}),
    ],
)
def test_only_what_the_reader_would_not_know_is_said(tmp_path, name, text, wanted):
    (tmp_path / name).write_text(text)
    found = survey(str(tmp_path / name))
    assert settings(found) == wanted
    assert read_head(found.source, 10).num_columns == 2


def test_a_compressed_file(tmp_path):
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b"a;b\n1;x\n"))
    assert settings(survey(str(tmp_path / "t.csv.gz"))) == {"delimiter": ";"}


@pytest.mark.parametrize(("name", "wanted"), [("t.parquet", {}), ("t.bin", {"format": "parquet"})])
def test_a_parquet_file_is_known_by_its_content(tmp_path, name, wanted):
    pq.write_table(pa.table({"a": [1], "b": ["x"]}), tmp_path / name)
    found = survey(str(tmp_path / name))
    assert (settings(found), found.files[0].columns) == (wanted, ("a", "b"))


def test_a_bundled_table():
    found = survey("sklearn:iris")
    assert found.source.uri == "sklearn:iris"
    assert found.files[0].columns[-1] == "target"


def test_given_names_are_over_the_files_own(tmp_path):
    write(tmp_path, t__csv="1,x\n2,y\n", u__csv="a,b\n1,x\n")
    assert survey(str(tmp_path / "t.csv"), columns=["n", "word"]).source.columns == ("n", "word")
    assert survey(str(tmp_path / "u.csv"), columns=["n", "word"]).source.columns == ("n", "word")
    with pytest.raises(DataError, match="names every column") as caught:
        survey(str(tmp_path / "t.csv"), columns=["n"])
    assert caught.value.received == "1 names for 2 columns"


@pytest.mark.parametrize(
    ("content", "received"),
    [
        (bytes([0, 0, 8, 1, 0, 0, 0, 9]), "an idx file of bytes, as MNIST has"),
        (b"PAR1 and no more", None),
        (b"", "an empty file"),
    ],
)
def test_a_file_that_is_no_table_is_refused_by_name(tmp_path, content, received):
    path = tmp_path / "t.gz"
    path.write_bytes(gzip.compress(content) if content else b"")
    with pytest.raises(DataError) as caught:
        survey(str(path))
    assert str(path) in str(caught.value.where)
    assert received is None or caught.value.received == received


def test_mnist_is_refused_and_what_can_be_read_is_named(shared_data):
    with pytest.raises(DataError, match="text or Parquet") as caught:
        survey(str(shared_data / "mnist" / "t10k-images-idx3-ubyte.gz"))
    assert "as MNIST has" in str(caught.value)
    assert "data.source.labels" in str(caught.value.remedy)
    with pytest.raises(DataError, match="at least one table") as caught:
        survey(str(shared_data / "mnist"))
    assert "as MNIST has" in str(caught.value)


# Several files


def test_files_of_one_table_are_read_together(tmp_path):
    write(tmp_path, a__csv="x,y\n1,2\n", b__csv="y,x\n1,2\n", c__csv="")
    found = survey(str(tmp_path))
    assert (found.source.uri, len(found.files), found.left_out) == (str(tmp_path), 2, {})


def test_files_that_differ_are_left_out_by_a_pattern(tmp_path):
    write(tmp_path, t_01__csv="x,y\n1,2\n3,4\n", t_02__csv="x,y\n1,2\n", t_2x3__csv="x,z\n1,2\n", readme__md="Hello\n")
    found = survey(str(tmp_path))
    assert found.source.uri == str(tmp_path / "t_0?.csv")
    assert files_of(found) == ["t_01.csv", "t_02.csv"]
    assert found.left_out == {
        "readme.md": "is no table of several columns",
        "t_2x3.csv": "has other columns: without y; with z",
    }


def test_the_table_with_the_target_is_taken_before_a_larger_one(tmp_path):
    write(tmp_path, large__csv="x,y\n" + "1,2\n" * 50, small__csv="x,z\n1,2\n")
    assert files_of(survey(str(tmp_path))) == ["large.csv"]
    assert files_of(survey(str(tmp_path), target="z")) == ["small.csv"]


def test_where_no_pattern_tells_files_apart_the_largest_is_read(tmp_path):
    write(tmp_path, ab__csv="x,y\n1,2\n", b__csv="x,y\n1,2\n1,2\n", abb__csv="x,z\n1,2\n")
    found = survey(str(tmp_path))
    assert files_of(found) == ["b.csv"]
    assert found.left_out["ab.csv"] == "no pattern names it together with the others"


def test_files_in_folders_below_are_told_apart_by_their_endings(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write(tmp_path / name, part__csv="x,y\n1,2\n", notes__txt="Hello\n")
    found = survey(str(tmp_path))
    assert found.source.uri == str(tmp_path / "**" / "*.csv")
    assert files_of(found) == ["part.csv", "part.csv"]
    assert set(found.left_out) == {"a/notes.txt", "b/notes.txt"}


def test_a_folder_whose_name_is_a_pattern(tmp_path):
    folder = tmp_path / "x[1]"
    folder.mkdir()
    write(folder, a__csv="x,y\n1,2\n", b__csv="x,y\n1,2\n", c__txt="Hello\n")
    assert files_of(survey(str(folder))) == ["a.csv", "b.csv"]


def test_one_file_in_another_encoding_decides_for_all(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"x,y\n1,plain\n")
    (tmp_path / "b.csv").write_bytes("x,y\n1,café\n".encode("latin-1"))
    found = survey(str(tmp_path))
    assert found.source.encoding == "latin-1"
    assert len(found.files) == 2


def test_a_folder_without_tables_is_refused(tmp_path):
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n")
    (tmp_path / "b.zip").write_bytes(b"PK\x03\x04")
    with pytest.raises(DataError, match="at least one table") as caught:
        survey(str(tmp_path))
    assert caught.value.received == "2 files; the first, a.png, is no table: a PNG image"


def test_the_taxi_folder_but_for_the_file_of_another_year(shared_data):
    found = survey(str(shared_data / "nyc_taxi"))
    assert len(found.files) == len(files_of(found)) == 36
    assert list(found.left_out) == ["yellow_tripdata_sample_2021.csv"]
    assert found.source.uri.endswith("yellow_tripdata_sample_20??-??.csv")


def test_a_database_is_refused_with_what_to_write():
    with pytest.raises(DataError, match=r"received sql:postgresql://h/d. Remedy: write data.source: \{uri: .*query:"):
        survey("sql:postgresql://ann:secret@h/d")


def test_a_folder_of_images_is_refused_with_what_to_write(tmp_path):
    (tmp_path / "cat").mkdir()
    for name in ("a.png", "b.png"):
        (tmp_path / "cat" / name).write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0" * 20)
    with pytest.raises(DataError, match=r"data.source is \{uri: FOLDER, format: images\}"):
        survey(str(tmp_path))


# Other formats


def test_json_and_arrow_are_known_by_their_content(tmp_path):
    table = pa.table({"a": [1, 2], "b": ["x", "y"]})
    with pa.OSFile(str(tmp_path / "t.bin"), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    (tmp_path / "t.txt").write_text('{"a": 1, "b": "x"}\n{"a": 2, "b": "y"}\n')
    (tmp_path / "t.json").write_text('[{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]')
    for name, form in (("t.bin", "arrow"), ("t.txt", "json"), ("t.json", "auto")):
        found = survey(str(tmp_path / name))
        assert (found.source.format, found.files[0].columns) == (form, ("a", "b"))
        assert read_head(found.source, 5).to_pydict() == table.to_pydict()
        assert sample_table(found).table.to_pydict() == table.to_pydict()


def test_folders_names_are_columns_of_a_sample(tmp_path):
    for year in (2023, 2024):
        (tmp_path / f"year={year}").mkdir()
        write(tmp_path / f"year={year}", t__csv="x;y\n1,5;a\n2,5;b\n")
    found = survey(str(tmp_path), target="year")
    assert found.source.decimal == ","
    assert sample_table(found).table.to_pydict() == {
        "x": ["1.5", "2.5"] * 2, "y": ["a", "b"] * 2, "year": [2023, 2023, 2024, 2024]
    }  # fmt: skip


def test_runs_of_white_space_are_sampled_as_they_are_read(tmp_path):
    (tmp_path / "t.data").write_text(' 18.0   8  "ford  torino"\n 15.5   4\t"a b"\n  9   6  "c"\n')
    found = survey(str(tmp_path / "t.data"))
    assert found.source.delimiter == "whitespace"
    table = sample_table(found).table
    assert table.to_pylist()[0] == {"c1": "18.0", "c2": "8", "c3": "ford  torino"}
    assert table.to_pylist() == read_head(found.source, 10).to_pylist()
