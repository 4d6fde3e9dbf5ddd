"""JSON lines and arrays as tables."""

import json
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from distml.config import SourceConfig
from distml.errors import DataError
from distml.reading.json_array import LinesOfArray
from distml.reading.log import ReadLog
from distml.reading.source import list_fragments, read_fragment, read_head, read_layout


@pytest.fixture
def read(tmp_path: Path):
    def read(content: str | bytes, name: str = "t.jsonl", **settings) -> tuple[pa.Table, ReadLog]:
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        source, log = SourceConfig(uri=str(tmp_path / name), **settings), ReadLog()
        (table,) = (table for part in list_fragments(source) for table in read_fragment(part, source, log))
        return table, log

    return read


def test_values_are_what_json_says(read):
    table, _ = read('{"n": 1, "x": 2.5, "t": "a", "b": true, "z": null}\n{"n": null, "t": "ü", "more": 1}\n')
    assert table.to_pylist() == [
        {"n": 1, "x": 2.5, "t": "a", "b": True, "z": None, "more": None},
        {"n": None, "x": None, "t": "ü", "b": None, "z": None, "more": 1},
    ]


def test_texts_that_look_like_dates_stay_texts(read):
    table, _ = read('{"t": "2024-01-01"}\n{"t": "2024-01-02T03:04:05Z"}\n')
    assert table.column("t").to_pylist() == ["2024-01-01", "2024-01-02T03:04:05Z"]


def test_a_column_of_several_types_is_one_of_texts(read):
    table, _ = read('{"a": 1, "b": 1}\n{"a": "x", "b": 1.5}\n{"a": true, "b": null}\n{"a": null, "b": 2}\n')
    assert table.to_pydict() == {"a": ["1", "x", "true", None], "b": [1.0, 1.5, None, 2.0]}


ITEMS = [{"a": 1, "b": 'x,}"\\ ]'}, {"a": None, "b": "[{\n"}, {"a": 2.5, "b": "ü"}]


@pytest.mark.parametrize("layout", [{}, {"indent": 2}, {"separators": (",", ":")}])
def test_an_array_is_read_as_lines_are(read, layout):
    whole, _ = read(json.dumps(ITEMS, **layout), "t.json")
    lines, _ = read("\n".join(json.dumps(item) for item in ITEMS))
    assert whole.equals(lines)


VALUES = st.recursive(
    st.none() | st.integers() | st.text(max_size=5) | st.sampled_from(['"', "\\", '\\"', "],[", "{"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=4,
)


@given(st.lists(st.dictionaries(st.text(max_size=2), VALUES, max_size=3), max_size=4), st.integers(1, 7), st.booleans())
@settings(max_examples=200)
def test_an_array_is_parted_at_its_items_wherever_it_is_cut(items, size, ascii_only):
    content = json.dumps(items, indent=1, ensure_ascii=ascii_only).encode()
    lines = LinesOfArray(pa.BufferReader(content), "t.json")
    text = b""
    while chunk := lines.read(size):
        text += chunk
    assert [json.loads(line) for line in text.splitlines() if line.strip()] == items


@pytest.mark.parametrize(
    ("content", "name", "where", "received"),
    [
        ('{"a": 1}\n\n{"a":\n', "t.jsonl", ", line 3", '{"a":'),
        ('{"a": 1}\n[1]\n', "t.jsonl", ", line 2", "list instead"),
        ('{\n "a": 1\n}\n', "t.json", ", line 1", "'{'"),
        ('[{"a": 1}, 7]', "t.json", ", item 2", "int instead"),
        ('[{"a": 1}, {"a": 2}', "t.json", "", "the end of the file"),
    ],
)
def test_what_is_no_object_is_refused_with_its_line(read, tmp_path, content, name, where, received):
    with pytest.raises(DataError) as caught:
        read(content, name)
    assert caught.value.where == f"{tmp_path}/{name}{where}"
    assert received in caught.value.received


def test_what_is_no_object_is_left_out_and_counted(read):
    table, log = read('{"a": 1}\nx\n{"a": 2}\n[]\n', ragged="quarantine")
    assert table.column("a").to_pylist() == [1, 2]
    (finding,) = log.findings()
    assert (finding.count, finding.examples) == (2, ((2, "x"), (4, "[]")))
    assert [line.text for line in log.aside] == ["x", "[]"]


def test_another_encoding(read):
    assert read('{"ä": "é"}\n'.encode("latin-1"), encoding="latin-1")[0].to_pydict() == {"ä": ["é"]}


def test_numbers_of_two_files_go_together(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"x": 1, "id": 9007199254740993}\n')
    (tmp_path / "b.jsonl").write_text('{"x": 1.5, "id": 9007199254740995}\n')
    source = SourceConfig(uri=str(tmp_path))
    schema = read_layout(list_fragments(source), source).schema
    assert schema == pa.schema([("x", pa.float64()), ("id", pa.int64())])


@given(st.lists(st.sampled_from([1, 2.5, "x", None, True]), min_size=1, max_size=6))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_head_is_of_one_type(tmp_path, values):
    (tmp_path / "t.jsonl").write_text("".join(json.dumps({"v": value}) + "\n" for value in values))
    head = read_head(SourceConfig(uri=str(tmp_path / "t.jsonl")), 10)
    assert head.num_rows == len(values)
    assert head.column("v").null_count == values.count(None)


def test_a_number_is_one_text_whatever_else_its_block_has(read):
    mixed, _ = read('{"x": 3.0}\n{"x": true}\n{"x": "a"}\n{"x": 2.5}\n')
    assert mixed.column("x").to_pylist() == ["3", "true", "a", "2.5"]
