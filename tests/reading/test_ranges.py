"""A large text as ranges comes to what one read of it gives."""

import json
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from distml.config import SourceConfig
from distml.reading import lines, ranges
from distml.reading.files import Fragment
from distml.reading.log import ReadLog
from distml.reading.source import list_fragments, read_fragment


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    """Ranges of a few lines."""
    monkeypatch.setattr(ranges, "SPLIT_BYTES", 1)
    monkeypatch.setattr(ranges, "RANGE_BYTES", 8)
    monkeypatch.setattr(lines.read_blocks, "__defaults__", (16,))
    ranges._ranges.cache_clear()


def rows_of(fragments: list[Fragment], source: SourceConfig) -> tuple[list[dict], dict]:
    log = ReadLog()
    tables = [table for part in fragments for table in read_fragment(part, source, log)]
    counts = {rule: (finding.count, finding.examples) for (rule, *_), finding in log.found.items()}
    return [row for table in tables for row in table.to_pylist()], counts


LINES = st.lists(
    st.sampled_from(["1,2", "3,4", '"x\ny",5', '"a""b\r\n",6', "", "  ", "# c", '# "', '7,8"', "é,ü"]), max_size=30
)


@given(LINES, st.sampled_from(["\n", "\r\n"]), st.booleans(), st.sampled_from(["fail", "pad", "drop"]))
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_ranges_come_to_what_one_read_gives(tmp_path, texts, newline, ends, ragged):
    if ragged != "fail":
        texts = [text.replace("3,4", "3") for text in texts]
    content = newline.join(["# start", "a,b", *texts]) + (newline if ends else "")
    path = tmp_path / "t.csv"
    path.write_bytes(content.encode())
    source = SourceConfig(uri=str(path), comment="#", ragged=ragged)
    ranges._ranges.cache_clear()
    parts = list_fragments(source)
    whole = list_fragments(source, ranges=False)
    assert rows_of(parts, source) == rows_of(whole, source)
    firsts = [len(rows_of(parts[:k], source)[0]) for k in range(len(parts))]
    assert [part.first_row for part in parts] == firsts


def test_a_range_knows_its_line(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b\n\n" + '"x\n",1\n' * 20 + "ragged\n")
    source = SourceConfig(uri=str(path), ragged="drop")
    parts = list_fragments(source)
    assert len(parts) > 3
    log = ReadLog()
    assert next(iter(read_fragment(parts[-1], source, log))).num_rows < 20
    assert log.found["every line has 2 values", None, "drop"].examples == ((43, "ragged"),)


def test_a_header_may_come_late(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("# note\n" * 20 + "a,b\n" + "1,2\n" * 20)
    source = SourceConfig(uri=str(path), comment="#")
    parts = list_fragments(source)
    assert len(parts) > 1
    assert rows_of(parts, source)[0] == [{"a": "1", "b": "2"}] * 20


def test_json_lines(tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_text("\n".join(json.dumps({"a": i, "b": "x\n"}) for i in range(30)))
    source = SourceConfig(uri=str(path))
    parts = list_fragments(source)
    assert len(parts) > 3
    assert [row["a"] for row in rows_of(parts, source)[0]] == list(range(30))
    assert [part.first_row for part in parts[:2]] == [0, len(rows_of(parts[:1], source)[0])]


@pytest.mark.parametrize(
    ("name", "dialect"), [("t.csv.gz", {}), ("t.csv", {"encoding": "utf-16"}), ("t.parquet", {}), ("t.json", {})]
)
def test_what_has_no_place_to_enter_at_is_one(tmp_path, name, dialect):
    import gzip

    import pyarrow.parquet as pq

    path: Path = tmp_path / name
    if name.endswith("parquet"):
        pq.write_table(pa.table({"a": range(50)}), path)
    elif name.endswith("json"):
        path.write_text(json.dumps([{"a": i} for i in range(50)]))
    else:
        content = ("a,b\n" + "1,2\n" * 50).encode(dialect.get("encoding", "utf-8"))
        path.write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    source = SourceConfig(uri=str(path), **dialect)
    assert len(list_fragments(source)) == 1
    assert len(rows_of(list_fragments(source), source)[0]) == 50


def test_a_file_that_changed_is_looked_at_again(tmp_path):
    path = tmp_path / "t.csv"
    source = SourceConfig(uri=str(path))
    for num_rows in (20, 40):
        path.write_text("a,b\n" + "1,2\n" * num_rows)
        assert len(rows_of(list_fragments(source), source)[0]) == num_rows
