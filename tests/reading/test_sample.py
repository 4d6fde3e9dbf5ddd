"""A bounded look at a table's rows."""

import gzip

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import distml.reading.sample as sampling
from distml.errors import DataError
from distml.reading.sample import Sample, sample_table
from distml.reading.survey import survey


def look(path) -> Sample:
    return sample_table(survey(str(path)))


@pytest.fixture
def small_budget(monkeypatch):
    """A budget that a file of some megabytes is beyond."""
    monkeypatch.setattr(sampling, "MAX_BYTES", 1 << 18)


def test_a_small_table_is_looked_at_whole(tmp_path):
    (tmp_path / "t.csv").write_text('a, b\n1, x\n2,"y\nz"\n\n3,\n')
    found = look(tmp_path / "t.csv")
    assert found.table.to_pydict() == {"a": ["1", "2", "3"], "b": [" x", "y\nz", ""]}
    assert found.is_whole
    np.testing.assert_allclose(found.position, [0, 1 / 3, 2 / 3])


@pytest.mark.parametrize("ending", ["", "\n", "\n\n"])
def test_a_last_line_counts_however_it_ends(tmp_path, ending):
    (tmp_path / "t.csv").write_text("a,b\n1,2\n3,4" + ending)
    assert look(tmp_path / "t.csv").table.column("a").to_pylist() == ["1", "3"]


def test_comments_are_left_out(tmp_path):
    (tmp_path / "t.csv").write_text("# one\na,b\n1,2\n# two\n3,4\n# three")
    assert look(tmp_path / "t.csv").table.to_pydict() == {"a": ["1", "3"], "b": ["2", "4"]}


def test_lines_of_another_width_are_told(tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n" + "1,2\n" * 30 + "1,2,3\n")
    found = look(tmp_path / "t.csv")
    assert (found.num_rows, found.ragged) == (30, ("1,2,3",))


def test_a_table_of_lines_of_other_widths_is_refused(tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n" + "1,2\n" * 600 + "1,2,3\n" * 700)
    with pytest.raises(DataError, match="every line has 2 values") as caught:
        look(tmp_path / "t.csv")
    assert "1,2,3" in str(caught.value.received)


def test_only_a_header_is_refused(tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n")
    with pytest.raises(DataError, match="at least one row"):
        look(tmp_path / "t.csv")


def test_bytes_that_no_head_shows_decide_the_encoding(tmp_path):
    rows = b"1,plain\n" * 60_000  # more than is sniffed at
    (tmp_path / "t.csv").write_bytes(b"a,b\n" + rows + "2,café\n".encode("latin-1"))
    found = look(tmp_path / "t.csv")
    assert (found.encoding, found.table.column("b")[-1].as_py()) == ("latin-1", "café")


def test_a_large_file_is_looked_at_all_over(tmp_path, small_budget):
    (tmp_path / "t.csv").write_text("row,b\n" + "".join(f"{i},x\n" for i in range(300_000)))
    found = look(tmp_path / "t.csv")
    rows = np.array(found.table.column("row").to_pylist(), int)
    assert not found.is_whole
    assert (np.diff(rows) > 0).all()
    assert (rows[0], rows[-1]) == (0, 299_999)
    assert len(rows) < 40_000
    # Lines get longer as the numbers do, so a row's place in bytes is only about its place in rows.
    np.testing.assert_allclose(found.position, rows / 300_000, atol=0.05)
    assert found.table.equals(look(tmp_path / "t.csv").table)


@pytest.mark.parametrize("kind", ["compressed", "with line breaks in values"])
def test_a_large_file_that_cannot_be_entered_is_looked_at_from_its_beginning(tmp_path, small_budget, kind):
    text = "row,b\n" + "".join(f'{i},"x\ny"\n' for i in range(200_000))
    path = tmp_path / ("t.csv.gz" if kind == "compressed" else "t.csv")
    path.write_bytes(gzip.compress(text.encode(), 1) if kind == "compressed" else text.encode())
    found = look(path)
    rows = np.array(found.table.column("row").to_pylist(), int)
    assert not found.is_whole
    assert (rows == np.arange(len(rows))).all()
    assert 5_000 < len(rows) < 100_000


def test_more_rows_than_are_wanted_are_drawn_in_order(tmp_path, monkeypatch):
    monkeypatch.setattr(sampling, "MAX_ROWS", 100)
    (tmp_path / "t.csv").write_text("row\n" + "".join(f"{i}\n" for i in range(1000)))
    found = look(tmp_path / "t.csv")
    rows = np.array(found.table.column("row").to_pylist(), int)
    assert (found.num_rows, found.is_whole) == (100, False)
    assert (np.diff(rows) > 0).all()
    assert rows[-1] > 900
    np.testing.assert_allclose(found.position, rows / 1000)


def test_files_are_looked_at_one_after_another(tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.csv").write_text(f"x\n{name}1\n{name}2\n")
    found = look(tmp_path)
    assert found.table.column("x").to_pylist() == ["a1", "a2", "b1", "b2"]
    np.testing.assert_allclose(found.position, [0, 0.25, 0.5, 0.75])


# Parquet and bundled tables


def test_a_small_parquet_file_keeps_its_types(tmp_path):
    table = pa.table({"a": [1, None, 3], "b": ["x", "y", None]})
    pq.write_table(table, tmp_path / "t.parquet", row_group_size=2)
    found = look(tmp_path / "t.parquet")
    assert found.table.equals(table)
    assert found.is_whole


def test_a_large_parquet_file_is_looked_at_in_row_groups_from_all_over(tmp_path, monkeypatch):
    monkeypatch.setattr(sampling, "MAX_ROWS", 1600)
    pq.write_table(pa.table({"row": range(100_000)}), tmp_path / "t.parquet", row_group_size=1000)
    found = look(tmp_path / "t.parquet")
    rows = found.table.column("row").to_numpy()
    assert (found.num_rows, found.is_whole) == (1600, False)
    assert (np.diff(rows) > 0).all()
    assert (rows[0], rows[-1]) == (0, 99_099)
    np.testing.assert_allclose(found.position, rows / 100_000)


def test_one_large_row_group_is_looked_at_from_its_beginning(tmp_path, monkeypatch):
    monkeypatch.setattr(sampling, "MAX_ROWS", 1600)
    pq.write_table(pa.table({"row": range(100_000)}), tmp_path / "t.parquet")
    found = look(tmp_path / "t.parquet")
    assert (found.table.column("row").to_numpy() == np.arange(1600)).all()
    assert not found.is_whole


def test_a_parquet_file_without_rows_is_refused(tmp_path):
    pq.write_table(pa.table({"a": pa.array([], pa.int64())}), tmp_path / "t.parquet")
    with pytest.raises(DataError, match="at least one row"):
        look(tmp_path / "t.parquet")


def test_a_bundled_table():
    found = look("sklearn:iris")
    assert (found.num_rows, found.is_whole) == (150, True)
