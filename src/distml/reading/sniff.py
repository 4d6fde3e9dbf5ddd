"""How a text table is written, judged from its first lines: delimiter, header, comments, encoding.

Pure functions of bytes. Whether the rest of the file keeps to it is seen where it is read.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from distml.errors import DataError
from distml.reading.breaks import Signs, find_records
from distml.reading.header import IS_NUMBER, has_header
from distml.reading.marks import DecimalMark, find_marks
from distml.reading.whitespace import RUNS, SIGNS

_DELIMITERS = ("\t", ";", "|", ",")  # of two that fit alike the earlier: commas stand in values, tabs hardly
_RARE_DELIMITERS = (" ", ":")  # asked only where none of the others fits
_COMMENTS = ("#", "%", "|", "//", "--", "!")
_NUM_LINES = 500
_MAGIC = {
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"%PDF": "a PDF document",
    b"PK\x03\x04": "a zip archive, which an Excel workbook is too",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"SQLite format 3": "an SQLite database",
    b"\x89HDF": "an HDF5 file",
    b"\x93NUMPY": "a NumPy array",
    b"ARROW1\x00": "an Arrow or Feather file",
    b"Obj\x01": "an Avro file",
    b"\x1f\x8b": "a gzip file whose name doesn't end in .gz",
    b"\x28\xb5\x2f\xfd": "a zstd file whose name doesn't end in .zst",
    b"BZh91AY&SY": "a bzip2 file whose name doesn't end in .bz2",
    b"PAR1": "a Parquet file",
    b"\x80\x04": "a pickle",
    b"\x80\x05": "a pickle",
    b"@relation": "an ARFF file",
    b"@RELATION": "an ARFF file",
}


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """How a text table is written. `columns` are the header's names where `is_named`, else names made for it."""

    delimiter: str
    header: bool
    columns: tuple[str, ...]
    is_named: bool
    comment: str | None = None
    encoding: str = "utf-8"
    quote: str | None = '"'
    escape: str | None = None
    decimal: DecimalMark = "."
    thousands: str | None = None


def sniff(content: bytes, *, is_whole: bool) -> Dialect:
    r"""The dialect of a file that begins with `content`; `is_whole` when that is all of it.

    Raises `DataError` for a file that is no text table, or one that no single delimiter parts.

    >>> sniff(b"a; b\n1; x\n2; y\n", is_whole=True).columns
    ('a', 'b')
    >>> sniff(b"1, ?\n2, x\n", is_whole=True).columns
    ('c1', 'c2')
    """
    what = binary_kind(content)
    if what is not None:
        raise DataError("a table is text or Parquet", received=what)
    encoding = encoding_of(content, is_whole=is_whole)
    text = content.decode(encoding, "ignore").removeprefix("\ufeff")
    lines = list(io.StringIO(text))  # str.splitlines would also break at form feeds and the like
    if not is_whole and len(lines) > 1:
        lines = lines[:-1]  # cut anywhere
    lines = [line for line in lines if line.strip()][:_NUM_LINES]
    if not lines:
        raise DataError("a table has at least one row", received="an empty file" if is_whole else "blank lines")
    if lines[0].lstrip().startswith(("{", "[")):
        raise DataError("a text table is delimited values", received="JSON", remedy="set data.source.format: json")
    comment = _comment(lines)
    remarks = [line for line in lines if comment is not None and line.startswith(comment)]
    rows = [line for line in lines if line not in remarks] or lines
    delimiter = _delimiter(rows)
    quote, escape = _quoting(rows, delimiter)
    records = _records(rows, delimiter, quote, escape)
    header = has_header(records)
    decimal, thousands = find_marks(records[1:] if header and len(records) > 1 else records)
    names = records[0] if header else _commented_names(remarks, comment, delimiter, len(records[0]))
    columns = unique_names(names)
    return Dialect(
        delimiter=delimiter,
        header=header,
        columns=columns,
        is_named=header and list(columns) == names,
        comment=comment,
        encoding=encoding,
        quote=quote,
        escape=escape,
        decimal=decimal,
        thousands=thousands,
    )


def binary_kind(content: bytes) -> str | None:
    """What a file that isn't text is, from its first bytes; None for text.

    >>> binary_kind(bytes([0, 0, 8, 3, 0, 0])), binary_kind(b"a,b\\n")
    ('an idx file of bytes, as MNIST has', None)
    """
    what = known_kind(content)
    if what is not None or content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return what
    return "binary data" if b"\x00" in content else None


def known_kind(content: bytes) -> str | None:
    """What a file is that begins as one of a kind that is no text; None where nothing shows that.

    >>> known_kind(b"PK\\x03\\x04"), known_kind(b"a,b\\x00")
    ('a zip archive, which an Excel workbook is too', None)
    """
    for magic, what in _MAGIC.items():
        if content.startswith(magic):
            return what
    return "an idx file of bytes, as MNIST has" if content[:3] == b"\x00\x00\x08" else None


def encoding_of(content: bytes, *, is_whole: bool = True) -> str:
    """The encoding that bytes can be read in: utf-8 where that fits. The last character may be cut of what isn't whole.

    >>> encoding_of("é".encode()), encoding_of(b"\\xe9"), encoding_of(b"\\x80 5")
    ('utf-8', 'latin-1', 'cp1252')
    """
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(content, final=is_whole)
        return "utf-8"
    except UnicodeDecodeError:
        pass
    # In Latin-1 the bytes 80 to 9F are control characters; cp1252 has quotes, dashes and the euro there.
    return "cp1252" if re.search(rb"[\x80-\x9f]", content) and _decodes(content, "cp1252") else "latin-1"


def _decodes(content: bytes, encoding: str) -> bool:
    try:
        content.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _comment(lines: Sequence[str]) -> str | None:
    """The prefix of lines that are no rows: few, and parted in another number of values, or before all others."""
    for prefix in _COMMENTS:
        marked = [line for line in lines if line.startswith(prefix)]
        rest = [line for line in lines if not line.startswith(prefix)]
        if not marked or len(marked) > len(rest):
            continue
        delimiter = _delimiter(rest)
        width = len(_records(rest, delimiter)[0])
        are_first = lines[: len(marked)] == marked
        if all(len(record) != width for record in _records(marked, delimiter)) or (are_first and prefix in "#%"):
            return prefix
    return None


def _delimiter(lines: Sequence[str]) -> str:
    """The delimiter that parts the most lines into one number of values; a comma where there is one column."""
    best, best_share = ",", 0.0
    for delimiter in _DELIMITERS:
        share = _consistency(lines, delimiter)
        if share > best_share + 0.02:
            best, best_share = delimiter, share
    if best_share >= 0.5:
        return best
    for delimiter in _RARE_DELIMITERS:
        # One row proves nothing here: a single line of words is parted by spaces too.
        if len(lines) > 1 and _consistency(lines, delimiter) > 0.98:
            has_runs = any(delimiter * 2 in line.strip() or line.startswith(delimiter) for line in lines)
            return RUNS if delimiter == " " and has_runs else delimiter
    if len(lines) > 1 and _consistency(lines, RUNS) == 1:
        return RUNS
    return best


def _consistency(lines: Sequence[str], delimiter: str, quote: str | None = '"', escape: str | None = None) -> float:
    """The share of lines that have the most usual number of values, 0 where that is one."""
    widths = Counter(len(record) for record in _records(lines, delimiter, quote, escape))
    width, count = widths.most_common(1)[0]
    return count / widths.total() if width > 1 else 0.0


def _quoting(lines: Sequence[str], delimiter: str) -> tuple[str | None, str | None]:
    """The quote and the escape by which the most lines have one number of values; of those alike the usual ones."""
    text = "".join(lines)
    ways: list[tuple[str | None, str | None]] = [('"', None)]
    if '\\"' in text:
        ways.append(('"', "\\"))
    if re.search(rf"(?:^|{re.escape(delimiter)})\s*'[^'\n]*'\s*(?:$|{re.escape(delimiter)})", text, re.MULTILINE):
        ways.append(("'", None))
    if '"' in text and _has_stray_quotes(lines, delimiter):
        ways.append((None, None))
    return max(ways, key=lambda way: (round(_consistency(lines, delimiter, *way), 2), -ways.index(way)))


def _has_stray_quotes(lines: Sequence[str], delimiter: str) -> bool:
    """Whether a quote opens a value and none ends it before the lines do."""
    content = "".join(lines).encode()
    records = find_records(content, Signs(delimiter=SIGNS if delimiter == RUNS else delimiter.encode()), is_last=True)
    return records.open_quote is not None or (records.has_quoted_breaks and _consistency(lines, delimiter, None) == 1)


def _records(
    lines: Sequence[str], delimiter: str, quote: str | None = '"', escape: str | None = None
) -> list[list[str]]:
    """Lines as stripped values; at least one record."""
    if delimiter == RUNS:
        lines, delimiter = [line.strip().replace("\t", " ") for line in lines], " "
    quoting: dict[str, Any] = {"quotechar": quote} if quote else {"quoting": csv.QUOTE_NONE}
    try:
        reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True, escapechar=escape, **quoting)
        records = [record for record in reader if record]
    except csv.Error:
        records = []
    return [[value.strip() for value in record] for record in records] or [[""]]


def _commented_names(remarks: Sequence[str], comment: str | None, delimiter: str, width: int) -> list[str]:
    """Names that the last comment gives, as NumPy writes them, else c1, c2, …"""
    if remarks and comment is not None:
        names = _records([remarks[-1].removeprefix(comment)], delimiter)[0]
        if len(names) == width and width > 1 and not any(IS_NUMBER.fullmatch(name) for name in names):
            return names
    return [""] * width


def unique_names(names: Sequence[str]) -> tuple[str, ...]:
    """Names without blanks and repeats.

    >>> unique_names(["a", "", "a"])
    ('a', 'c2', 'a_2')
    """
    found: list[str] = []
    for i, name in enumerate(names):
        wanted = name or f"c{i + 1}"
        unique, number = wanted, 2
        while unique in found:
            unique, number = f"{wanted}_{number}", number + 1
        found.append(unique)
    return tuple(found)
