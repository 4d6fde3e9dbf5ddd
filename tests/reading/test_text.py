"""Lines that are no rows: found with file and line, and done with as the source says."""

import gzip
import tracemalloc
from pathlib import Path

import pyarrow as pa
import pytest
from pydantic import ValidationError

from distml.config import SourceConfig
from distml.errors import DataError
from distml.reading import lines
from distml.reading.log import ReadLog
from distml.reading.source import list_fragments, read_fragment, read_head

NAMED = {"header": False, "columns": ["a", "b"]}


@pytest.fixture
def read(tmp_path: Path):
    """Reads a file of the given content; the rows and the log."""

    def read(content: str | bytes, name: str = "t.csv", **dialect) -> tuple[list[dict], ReadLog]:
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        source, log = SourceConfig(uri=str(tmp_path / name), **dialect), ReadLog()
        tables = [table for part in list_fragments(source) for table in read_fragment(part, source, log)]
        return (pa.concat_tables(tables).to_pylist() if tables else []), log

    return read


def told(log: ReadLog) -> list[tuple]:
    return [(f.rule, f.action, f.count, f.examples) for f in log.findings()]


AB = [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]


@pytest.mark.parametrize(
    ("content", "dialect"),
    [
        ("a,b\n'1','2'\n3,4\n", {"quote": "'"}),
        ("a,b\n\\1,2\n3,4\n", {"escape": "\\"}),
        ("a,b\r1,2\r3,4\r", {}),
        ("a,b\r1,2\n3,4\r\n", {}),
        ("#,'\na,b\n1,2\n#\"\n3,4\n", {"comment": "#"}),
        ("a,b\n1,2\n  \n3,4\n\t\n", {}),
        ("a,b\n1,2\n3,4\n".encode("utf-16-be"), {"encoding": "utf-16-be"}),
        ("a,b\n1,2\n3,4\n".encode("utf-32"), {"encoding": "utf-32"}),
        ("a\x01b\n1\x012\n3\x014\n", {"delimiter": "\x01"}),
        ("a b\n1 2\n3 4\n", {"delimiter": "whitespace"}),
        ("  a \t b\n\n 1\t 2 \r\n   \n3   4", {"delimiter": "whitespace"}),
        ('# c  "\n 1\t"2"\n 3   4\n', {"delimiter": "whitespace", "comment": "#", **NAMED}),
    ],
)
def test_more_dialects(read, content, dialect):
    assert read(content, **dialect)[0] == AB


def test_quotes_may_be_signs_like_any_other(read):
    rows, _ = read('a,b\n5" pipe,"x\n', quote="")
    assert rows == [{"a": '5" pipe', "b": '"x'}]
    rows, _ = read('a,b\n5" pipe,2\n"4"" pipe",3\n')
    assert [row["a"] for row in rows] == ['5" pipe', '4" pipe']


def test_white_space_within_quotes_stays(read):
    rows, log = read('a  b\n 1   "x  y"\n\n2\n5 "z\n  w" \n', delimiter="whitespace", ragged="pad")
    assert rows == [{"a": "1", "b": "x  y"}, {"a": "2", "b": ""}, {"a": "5", "b": "z\n  w"}]
    assert [f.examples[0][0] for f in log.findings()] == [3, 4]


@pytest.mark.parametrize("encoding", ["gbk", "shift_jis", "koi8-r", "cp1252", "utf-16"])
def test_encodings_of_one_byte_and_of_several(read, encoding):
    words = {"gbk": "乗|丄", "shift_jis": "ソ能", "koi8-r": "тест", "cp1252": "„é€", "utf-16": "乗é"}
    rows, _ = read(f"a,b\n{words[encoding]},2\n".encode(encoding), encoding=encoding)
    assert rows == [{"a": words[encoding], "b": "2"}]


RAGGED = 'a,b\n\n1,2\n"x\ny",\n3\n4,5,6\n7,8\n'


def test_wide_text_without_its_mark_is_refused(read, tmp_path):
    with pytest.raises(DataError, match="byte order mark") as refused:
        read("a,b\n1,2\n", encoding="utf-16")
    assert refused.value.where == str(tmp_path / "t.csv")
    assert refused.value.remedy is not None and "utf-8" in refused.value.remedy


@pytest.mark.parametrize("action", ["drop", "quarantine"])
def test_ragged_lines_are_left_out_and_counted_by_their_lines(read, tmp_path, action):
    rows, log = read(RAGGED, ragged=action)
    assert [row["a"] for row in rows] == ["1", "x\ny", "7"]
    assert told(log) == [
        ("no blank lines", "drop", 1, ((2, ""),)),
        ("every line has 2 values", action, 2, ((6, "3"), (7, "4,5,6"))),
    ]
    aside = log.aside_table().to_pylist()
    path, reason = str(tmp_path / "t.csv"), "every line has 2 values, this one "
    wanted = [
        {"file": path, "line": 6, "text": "3", "distml_reason": f"{reason}1"},
        {"file": path, "line": 7, "text": "4,5,6", "distml_reason": f"{reason}3"},
    ]
    assert aside == (wanted if action == "quarantine" else [])


def test_short_lines_are_filled_up(read):
    rows, log = read("a,b,c\n1\n2,3\n4,5,6\n7,8,9,,\n", ragged="pad")
    assert rows == [
        {"a": "1", "b": "", "c": ""}, {"a": "2", "b": "3", "c": ""}, {"a": "4", "b": "5", "c": "6"},
        {"a": "7", "b": "8", "c": "9"},
    ]  # fmt: skip
    assert [(f.rule, f.action, f.count) for f in log.findings()] == [("every line has 3 values", "replace", 3)]


def test_values_that_are_too_many_are_never_cut_off(read, tmp_path):
    with pytest.raises(DataError, match="every line has 2 values") as caught:
        read("a,b\n1\n7,8,9\n", ragged="pad")
    assert caught.value.where == f"{tmp_path}/t.csv, line 3"


LATIN = b"a,b\n1,\xfc\n\n3,4\n\xe9,\xe9\n5,x\x00\n"


def test_what_cannot_be_decoded_is_refused_with_what_fits(read, tmp_path):
    with pytest.raises(DataError, match="a text holds no null bytes") as caught:
        read(LATIN)
    assert caught.value.where == f"{tmp_path}/t.csv, line 6"
    with pytest.raises(DataError, match="written in utf-8") as caught:
        read(LATIN.replace(b"\0", b""))
    assert caught.value.where == f"{tmp_path}/t.csv, line 2"
    assert caught.value.received == "byte fc in '1,\ufffd'"
    assert "set data.source.encoding: latin-1" in caught.value.remedy


def test_what_cannot_be_decoded_is_replaced(read):
    rows, log = read(LATIN, undecodable="replace")
    assert rows == [{"a": "1", "b": "\ufffd"}, {"a": "3", "b": "4"}, {"a": "\ufffd",
                     "b": "\ufffd"}, {"a": "5", "b": "x\ufffd"}]  # fmt: skip
    counts = {f.rule: (f.action, f.count, [line for line, _ in f.examples]) for f in log.findings()}
    assert counts["a text table is written in utf-8"] == ("replace", 2, [2, 5])
    assert counts["a text holds no null bytes"] == ("replace", 1, [6])


@pytest.mark.parametrize("action", ["drop", "quarantine"])
def test_what_cannot_be_decoded_is_left_out(read, action):
    rows, log = read(LATIN, undecodable=action)
    assert rows == [{"a": "3", "b": "4"}]
    assert [line.number for line in log.aside] == ([6, 2, 5] if action == "quarantine" else [])


def test_a_header_is_never_left_out(read):
    rows, log = read(b"a,\xe9\n1,2\n", undecodable="drop")
    assert rows == [{"a": "1", "\ufffd": "2"}]
    assert [(f.action, f.examples[0][0]) for f in log.findings()] == [("replace", 1)]


@pytest.mark.parametrize(("encoding", "content"), [("cp1252", b"a,b\n1,2\n3,\x81\n"), ("ascii", b"a,b\n1,2\n3,\xe9\n")])
def test_bytes_that_another_encoding_lacks(read, tmp_path, encoding, content):
    with pytest.raises(DataError, match=f"written in {encoding}") as caught:
        read(content, encoding=encoding)
    assert caught.value.where == f"{tmp_path}/t.csv, line 3"


def test_a_faulty_byte_in_a_later_block_has_its_line(read, tmp_path):
    content = b"a,b\n" + b"1,2\n" * 5_000_000 + b"3,\xe9\n"
    with pytest.raises(DataError, match="written in utf-8") as caught:
        read(content)
    assert caught.value.where == f"{tmp_path}/t.csv, line 5000002"


def test_a_quote_without_its_end_stops_reading_before_memory_is_full(read, tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "MAX_RECORD_BYTES", 1 << 20)
    content = gzip.compress(b'a,b\n1,2\n3,"4\n' + b"5,6\n" * 40_000_000, 1)
    tracemalloc.start()
    with pytest.raises(DataError, match="a quoted value ends with a quote") as caught:
        read(content, "t.csv.gz")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert caught.value.where == f"{tmp_path}/t.csv.gz, line 3"
    assert peak < 500e6


def test_names_may_stand_twice_for_others_to_refuse(tmp_path):
    (tmp_path / "t.csv").write_text("x,x\n1,2\n")
    assert read_head(SourceConfig(uri=str(tmp_path / "t.csv")), 5).column_names == ["x", "x"]


# Numbers


@pytest.mark.parametrize(
    ("marks", "text", "wanted"),
    [
        ({"decimal": ","}, "1,5", "1.5"),
        ({"decimal": ","}, " -0,25 ", " -0.25 "),
        ({"decimal": ","}, "1,5e3", "1.5e3"),
        ({"decimal": ","}, "a,b", "a,b"),
        ({"decimal": ",", "thousands": "."}, "1.234.567,8", "1234567.8"),
        ({"decimal": ",", "thousands": "."}, "1.234", "1234"),
        ({"decimal": ",", "thousands": "."}, "01.02.2024", "01.02.2024"),
        ({"thousands": ","}, "1,234.5", "1234.5"),
        ({"thousands": ","}, "12,34", "12,34"),
        ({"thousands": " "}, "12\u00a0345", "12345"),
        ({"thousands": "'"}, "1'000", "1000"),
    ],
)
def test_numbers_written_otherwise(read, marks, text, wanted):
    rows, _ = read(f"a;b\n{text};x\n", delimiter=";", **marks)
    assert rows == [{"a": wanted, "b": "x"}]


def test_a_point_where_commas_are_meant_is_counted(read):
    _, log = read("a;b\n1,5;x\n2.5;y\n", delimiter=";", decimal=",")
    assert [(f.column, f.count, f.action) for f in log.findings()] == [("a", 1, "keep")]


@pytest.mark.parametrize(
    "wrong",
    [{"decimal": ",", "thousands": ","}, {"delimiter": '"'}, {"quote": "''"}, {"escape": '"'}, {"delimiter": "é"}],
)
def test_signs_that_cannot_be_told_apart_are_refused(wrong):
    with pytest.raises(ValidationError):
        SourceConfig(uri="t.csv", **wrong)
