"""How a text table is written, from its first bytes."""

import pytest

from distml.errors import DataError
from distml.reading.header import has_header
from distml.reading.sniff import Dialect, binary_kind, encoding_of, sniff, unique_names


def dialect(text: str | bytes, *, is_whole: bool = True) -> Dialect:
    return sniff(text if isinstance(text, bytes) else text.encode(), is_whole=is_whole)


# Delimiters


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", " ", ":"])
def test_the_delimiter_that_parts_every_line_alike(delimiter):
    lines = [["name", "x", "y"], ["ann", "1", "2.5"], ["bob", "2", "3.5"]]
    assert dialect("\n".join(map(delimiter.join, lines))) == Dialect(
        delimiter=delimiter, header=True, columns=("name", "x", "y"), is_named=True
    )


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [
        ("a;b\n1,5;2,5\n3,5;4,5\n", ";"),  # decimal commas
        ("name;when\nx;2024-01-01 10:00:00\ny;2024-01-02 11:00:00\n", ";"),
        ("a,b\n1,x|y\n2,x\n3,x|y|z\n", ","),
        ('a,b\n1,"x;y;z"\n2,"x"\n', ","),
        ("a\tb\nx, y\t1\nx, y, z\t2\n", "\t"),
        ("when,x\n2024-01-01 10:00:00,1\n2024-01-02 11:00:00,2\n", ","),
    ],
)
def test_values_that_hold_another_delimiter(text, delimiter):
    assert dialect(text).delimiter == delimiter


@pytest.mark.parametrize("text", ["a\n1\n2\n", "words\nsome words here\nmore\n"])
def test_one_column_has_a_comma(text):
    found = dialect(text)
    assert (found.delimiter, len(found.columns)) == (",", 1)


def test_a_space_after_the_delimiter_is_no_part_of_a_name():
    assert dialect("a, b\n1, 2\n").columns == ("a", "b")


@pytest.mark.parametrize("text", [" 0.1  18.0\n 0.2   1.0\n", "a\t b\n1  2\n 3\t\t4\n", 'a  b\n1  "x  y"\n2  z\n'])
def test_runs_of_white_space(text):
    found = dialect(text)
    assert (found.delimiter, len(found.columns)) == ("whitespace", 2)


# Headers


@pytest.mark.parametrize(
    ("records", "is_header"),
    [
        ([["a", "b"], ["1", "x"]], True),
        ([["1", "x"], ["2", "y"]], False),
        ([["1", "x"], ["2", "x"], ["?", "y"]], False),
        ([["a", "2019"], ["x", "1"], ["y", "2"]], False),  # a number above numbers is a value
        ([["a", "b", "2019"], ["1", "1", "1"], ["2", "2", "2"]], True),  # but two names beside it say more
        ([["0", "1", "2", "3", "4"], ["5", "6", "7", "8", "9"]], True),  # pandas counts columns
        ([["1", "2", "3", "4", "5"], ["5", "6", "7", "8", "9"]], True),
        ([["1", "2", "3", "4", "6"], ["5", "6", "7", "8", "9"]], False),
        ([["1", "2"], ["5", "6"]], False),
        ([["p", "x"], ["e", "x"], ["p", "s"]], False),  # values that come again
        ([["class", "cap"], ["e", "x"], ["p", "s"], ["e", "x"], ["p", "s"]], True),
        ([["when", "who"], ["2024-01-01", "ann"], ["2024-01-02", "bob"]], True),
        ([["2024-01-01", "ann"], ["2024-01-02", "bob"]], False),
        ([["name", "story"], ["ann", "long"], ["bob", "short"]], True),  # nothing speaks against it
        ([["name", "name"], ["ann", "long"], ["bob", "short"]], False),
        ([["a", "b"]], True),
        ([["a", "b"], ["", ""]], True),
    ],
)
def test_headers(records, is_header):
    assert has_header(records) is is_header


def test_columns_without_a_header_are_counted_from_1():
    found = dialect("39, State-gov, ?\n50, Private, x\n")
    assert (found.header, found.is_named, found.columns) == (False, False, ("c1", "c2", "c3"))


def test_a_header_with_blanks_or_repeats_is_completed_and_not_its_own():
    found = dialect(",x,x\n0,1,2\n1,3,4\n")
    assert (found.header, found.is_named, found.columns) == (True, False, ("c1", "x", "x_2"))


def test_made_names_differ_from_given_ones():
    assert unique_names(["c2", "", "c2"]) == ("c2", "c2_2", "c2_3")


# Comments


@pytest.mark.parametrize(
    ("text", "comment", "columns"),
    [
        ("|1x3 Cross validator\n25, a, 1\n38, b, 2\n", "|", ("c1", "c2", "c3")),
        ("# from somewhere\n# at some time\na,b\n1,2\n", "#", ("a", "b")),
        ("% x\na;b\n1;2\n", "%", ("a", "b")),
        ("a,b\n1,2\n# a note in between\n3,4\n", "#", ("a", "b")),
        ("# a,b\n1,2\n3,4\n", "#", ("a", "b")),  # names as NumPy writes them
        ("# made today\n# a,b\n1,2\n3,4\n", "#", ("a", "b")),
        ("tag,n\n#x,1\n#y,2\n", None, ("tag", "n")),  # values that begin so
        ("a,b\n-1,2\n--,3\n", None, ("a", "b")),
    ],
)
def test_comments(text, comment, columns):
    found = dialect(text)
    assert (found.comment, found.columns) == (comment, columns)


# Encodings


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (b"plain", "utf-8"),
        ("café".encode(), "utf-8"),
        ("café".encode("latin-1"), "latin-1"),
        ("5 €".encode("cp1252"), "cp1252"),
        (b"\x81\xe9", "latin-1"),  # 81 means nothing in cp1252
        ("a".encode("utf-16"), "utf-16"),
    ],
)
def test_encodings(content, encoding):
    assert encoding_of(content) == encoding


def test_a_character_may_be_cut_where_the_bytes_end():
    cut = "é".encode()[:1]
    assert encoding_of(b"abc" + cut, is_whole=False) == "utf-8"
    assert encoding_of(b"abc" + cut, is_whole=True) == "latin-1"


def test_a_byte_order_mark_is_no_part_of_a_name():
    assert dialect(b"\xef\xbb\xbfa,b\n1,2\n").columns == ("a", "b")
    assert dialect("a,b\n1,2\n".encode("utf-16")).columns == ("a", "b")


# What is no table


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (bytes([0, 0, 8, 3, 0, 0, 234, 96]), "an idx file of bytes, as MNIST has"),
        (b"PK\x03\x04rest", "a zip archive, which an Excel workbook is too"),
        (b"SQLite format 3\x00", "an SQLite database"),
        (b"ARROW1\x00\x00", "an Arrow or Feather file"),
        (b"@relation iris\n", "an ARFF file"),
        (b"a,b\n\x00\x01", "binary data"),
    ],
)
def test_what_is_binary_is_named(content, what):
    with pytest.raises(DataError, match="text or Parquet") as caught:
        sniff(content, is_whole=True)
    assert caught.value.received == what


@pytest.mark.parametrize("content", [b"ARROW1,b\n1,2\n", b"a,b\n", b"\xff\xfea\x00"])
def test_what_is_text_is_not(content):
    assert binary_kind(content) is None


@pytest.mark.parametrize("text", ['{"a": 1}\n{"a": 2}\n', "[1, 2]\n"])
def test_json_is_refused(text):
    with pytest.raises(DataError, match="delimited values"):
        dialect(text)


@pytest.mark.parametrize("text", ["", "\n\n  \n"])
def test_nothing_is_refused(text):
    with pytest.raises(DataError, match="at least one row"):
        dialect(text)


def test_a_last_line_that_is_cut_is_not_judged():
    assert dialect("a,b\n1,2\n3,4\n5", is_whole=False).delimiter == ","
    assert dialect("a,b\n1,2\n3,4\n\n", is_whole=True).columns == ("a", "b")


# Quotes, escapes and numbers


@pytest.mark.parametrize(
    ("text", "quote", "escape"),
    [
        ('a,b\n"x, y",2\n"z",3\n', '"', None),
        ("a,b\n'x, y',2\n'z',3\n", "'", None),
        ('a,b\n"x \\"q\\", y",2\nz,3\n"u",4\n', '"', "\\"),
        ('a\tb\n5" pipe\tx\n"broken\ty\nz\tw\nu\tv\n', None, None),
        ("a,b\nit's,2\nso's,3\n", '"', None),
    ],
)
def test_quotes_and_escapes(text, quote, escape):
    found = sniff(text.encode(), is_whole=True)
    assert (found.quote, found.escape, found.columns) == (quote, escape, ("a", "b"))


@pytest.mark.parametrize(
    ("text", "decimal", "thousands"),
    [
        ("a;b\n1,5;x\n2,25;y\n", ",", None),
        ("a;b\n1.234,5;x\n2,25;y\n", ",", "."),
        ("a;b\n1 234,5;x\n12,25;y\n", ",", " "),
        ('a,b\n"1,234.5",x\n"2",y\n', ".", ","),
        ("a;b\n1'234;x\n2;y\n", ".", "'"),
        ("a;b\n1,234;x\n2,345;y\n", ".", None),  # either way
        ("a;b\n1,5;0.5\n2,5;1.5\n", ".", None),  # both at once
        ("a;b\n01.02.2023;x\n03.04.2023;y\n", ".", None),
        ("a;b\n1,2,3;x\n4,5;y\n", ".", None),
    ],
)
def test_how_numbers_are_written(text, decimal, thousands):
    found = sniff(text.encode(), is_whole=True)
    assert (found.decimal, found.thousands) == (decimal, thousands)
