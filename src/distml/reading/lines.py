"""The bytes of a text file as blocks of whole records, decompressed and in utf-8."""

from __future__ import annotations

import codecs
import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from distml.clean import MAX_EXAMPLES
from distml.config.source import SourceConfig
from distml.errors import DataError
from distml.reading.breaks import Records, Signs, find_records
from distml.reading.files import Fragment, open_filesystem
from distml.reading.sniff import known_kind
from distml.reading.whitespace import RUNS, squeezed
from distml.reading.whitespace import SIGNS as WHITE

BLOCK_BYTES = 16 << 20
MAX_RECORD_BYTES = 64 << 20


@dataclass(frozen=True)
class Block:
    """Whole records: their bytes, where each begins and ends, and the line of the file (from 1) that it begins on.

    `start` is the place of the first byte in the file as it is read (decompressed).
    """

    data: bytes
    records: Records
    lines: np.ndarray  # int64 [n]
    start: int = 0

    def content(self, record: int) -> bytes:
        """One record without its line break."""
        return self.data[self.records.starts[record] : self.records.ends[record]].rstrip(b"\r\n")

    def examples(self, records: Iterable[int]) -> list[tuple[int, str]]:
        """(line, text) of the first of some records."""
        first = itertools.islice(records, MAX_EXAMPLES)
        return [(int(self.lines[i]), self.content(int(i)).decode("utf-8", "replace")) for i in first]

    def replaced(self, records: dict[int, bytes]) -> Block:
        """The block with other bytes, of one record, for some records."""
        found = self.records
        lengths = found.ends - found.starts
        for i, content in records.items():
            lengths[i] = len(content)
        ends = np.cumsum(lengths)
        pieces: list[bytes] = []
        done = 0
        for i in sorted(records):
            pieces += [self.data[done : found.starts[i]], records[i]]
            done = int(found.ends[i])
        changed = replace(found, starts=ends - lengths, ends=ends)
        return Block(b"".join([*pieces, self.data[done:]]), changed, self.lines, self.start)

    def squeezed(self, signs: Signs) -> Block:
        """The block, of rows alone, with a tab for every run of white space between values."""
        data, records = squeezed(self.data, self.records, signs)
        return Block(data, records, self.lines, self.start)

    def take(self, kept: np.ndarray) -> Block:
        """The records of a mask, bool [n]."""
        if kept.all():
            return self
        found = self.records
        lengths = (found.ends - found.starts)[kept]
        ends = np.cumsum(lengths)
        taken = replace(found, starts=ends - lengths, ends=ends, lines=found.lines[kept], kinds=found.kinds[kept])
        chosen = np.repeat(kept, found.ends - found.starts)
        data = np.frombuffer(self.data, np.uint8)[chosen].tobytes()
        return Block(data, taken, self.lines[kept], self.start)


def signs_of(fragment: Fragment, source: SourceConfig, encoding: str = "utf-8") -> Signs:
    """The signs of the source's dialect, as they are in an encoding."""
    quote, escape, comment = (
        sign.encode(encoding) if sign else None for sign in (source.quote, source.escape, source.comment)
    )
    delimiter = WHITE if source.delimiter == RUNS else delimiter_of(fragment, source).encode()
    return Signs(delimiter=delimiter, quote=quote, escape=escape, comment=comment)


def delimiter_of(fragment: Fragment, source: SourceConfig) -> str:
    """What stands between two values when they are parsed; runs of white space are tabs then."""
    if source.delimiter == RUNS:
        return "\t"
    return source.delimiter or ("\t" if ".tsv" in fragment.path.lower() else ",")


def is_utf8(encoding: str) -> bool:
    return codecs.lookup(encoding).name in ("utf-8", "utf-8-sig", "ascii")


@cache
def is_single_byte(encoding: str) -> bool:
    """Whether every character is one byte, and the ASCII ones are as in ASCII.

    >>> is_single_byte("cp1252"), is_single_byte("utf-16"), is_single_byte("gbk"), is_single_byte("utf-8")
    (True, False, False, False)
    """
    plain = bytes(range(128))
    if plain.decode(encoding, "replace") != plain.decode("ascii"):
        return False
    pairs = (bytes([high]) + b"A" for high in range(128, 256))
    return all(len(pair.decode(encoding, "replace")) == 2 for pair in pairs) and not is_utf8(encoding) and (
        sum(len((bytes([high]) * 2).decode(encoding, "ignore")) == 2 for high in range(128, 256)) > 64
    )  # fmt: skip


def read_blocks(
    fragment: Fragment,
    source: SourceConfig,
    block_bytes: int = BLOCK_BYTES,
    *,
    raw: bool = False,
    signs: Signs | None = None,
    wrap: Callable[[Any, str], Any] | None = None,
) -> Iterator[Block]:
    """A text fragment's records, block by block, in utf-8, or as they are in the file where `raw`.

    What an encoding other than utf-8 can't decode is there as U+FFFD. `signs` are the dialect's, if not those of the
    source; `wrap` makes another stream of the file's, given its path.

    Raises `DataError` for a file that is no text, a quoted value that never ends, and a broken compression.
    """
    signs = signs or signs_of(fragment, source, source.encoding if raw else "utf-8")
    rest, start, line = b"", fragment.start, fragment.first_line
    is_last = False
    with open_text(fragment, source, raw=raw) as file:
        stream = wrap(file, fragment.path) if wrap else file
        while not is_last:
            chunk = _read(stream, block_bytes, fragment.path)
            is_last = len(chunk) < block_bytes
            data = rest + chunk if rest else chunk
            if start == 0 and not rest:
                refuse_other_kinds(data, fragment.path)
                if data.startswith(codecs.BOM_UTF8):
                    data, start = data[len(codecs.BOM_UTF8) :], len(codecs.BOM_UTF8)
            records = find_records(data, signs, is_last=is_last)
            end = int(records.ends[-1]) if len(records.ends) else 0
            _refuse_endless(data, end, records, is_last, line, fragment.path)
            if end:
                yield Block(data if end == len(data) else data[:end], records, records.lines + line, start)
            rest, start, line = data[end:], start + end, line + records.num_breaks


def _read(stream: Any, num_bytes: int, path: str) -> bytes:
    """As many bytes as asked for, less only at the end."""
    parts: list[bytes] = []
    missing = num_bytes
    while missing > 0:
        try:
            part = stream.read(missing)
        except OSError as error:
            raise DataError(
                "a file can be read to its end", received=str(error).splitlines()[0], where=path,
                remedy="if it is compressed, its name's ending says how, and it is whole",
            ) from error  # fmt: skip
        if not part:
            break
        parts.append(part)
        missing -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _refuse_endless(data: bytes, end: int, records: Records, is_last: bool, line: int, path: str) -> None:
    is_open = records.open_quote is not None
    if len(data) - end <= (0 if is_last else MAX_RECORD_BYTES):
        return
    if is_open:
        assert records.open_quote is not None
        number = line + data.count(b"\n", 0, records.open_quote)
        raise DataError(
            "a quoted value ends with a quote",
            received="none after the one that opens it",
            where=f"{path}, line {number}",
            remedy="write the quote twice or close it; where quotes are signs like any other, set "
            'data.source.quote: ""',
        )
    raise DataError(
        f"a line has less than {MAX_RECORD_BYTES >> 20} MB",
        received="more without a line break",
        where=f"{path}, line {line + records.num_breaks}",
    )


def refuse_other_kinds(data: bytes, path: str) -> None:
    """Raises `DataError` for a file that its first bytes show to be no text."""
    what = known_kind(data)
    if what is not None:
        raise DataError(
            "a text table is text", received=what, where=path,
            remedy="give its name the ending of what it is, or set data.source.format; of a workbook, save the "
            "sheet as CSV",
        )  # fmt: skip


def open_text(fragment: Fragment, source: SourceConfig, *, raw: bool = False) -> Any:
    """A text fragment's bytes, decompressed, as a stream to read from; in utf-8 unless they are wanted `raw`."""
    filesystem = open_filesystem(source)
    if fragment.end is None:
        stream = filesystem.open_input_stream(fragment.path, compression="detect")
    else:
        file = filesystem.open_input_file(fragment.path)
        stream = file.get_stream(fragment.start, fragment.end - fragment.start)
    return stream if raw or is_utf8(source.encoding) else _Transcoded(stream, source.encoding, fragment.path)


class _Transcoded:
    """A byte stream in utf-8 of one in another encoding."""

    def __init__(self, stream: Any, encoding: str, path: str) -> None:
        self._stream = stream
        self._encoding, self._path = encoding, path
        self._decoder = codecs.getincrementaldecoder(encoding)("replace")
        self._is_single_byte = is_single_byte(encoding)
        self._is_done = False

    def read(self, num_bytes: int) -> bytes:
        found = b""
        while not found and not self._is_done:
            chunk = self._stream.read(max(1, num_bytes // 2))
            self._is_done = not chunk
            if chunk.isascii() and self._is_single_byte:
                return chunk
            found = self._decoded(chunk).encode("utf-8", "replace")
        return found

    def _decoded(self, chunk: bytes) -> str:
        try:
            return self._decoder.decode(chunk, self._is_done)
        except UnicodeError:  # only of a file without the byte order mark that utf-16 and utf-32 begin with
            raise DataError(
                f"a file in {self._encoding} begins with a byte order mark",
                received=f"a file that begins with {chunk[:20]!r}",
                where=self._path,
                remedy="set data.source.encoding, as to utf-8; or to utf-16-le or utf-16-be where it has no such mark",
            ) from None

    def __enter__(self) -> _Transcoded:
        return self

    def __exit__(self, *error: object) -> None:
        self._stream.close()
