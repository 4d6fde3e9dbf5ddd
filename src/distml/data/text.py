"""Text tables: CSV and its kin, every value a text, with errors that name the file and the line."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from distml.config.source import SourceConfig
from distml.data.files import Fragment, open_filesystem
from distml.errors import DataError

BLOCK_BYTES = 16 << 20
COMMENTS = "no comment lines"


def read_text(fragment: Fragment, source: SourceConfig, skipped: Counter[str]) -> Iterator[Any]:
    """A text fragment's raw pyarrow tables; comment lines that are left out are counted in `skipped`."""
    import pyarrow as pa
    import pyarrow.csv

    ragged: list[Any] = []

    def note(row: Any) -> str:
        ragged.append(row)
        return "skip"

    delimiter = _delimiter(fragment, source)
    names: list[str] = []
    try:
        names, header_lines = _header(fragment, source, delimiter)
        reader = pyarrow.csv.open_csv(
            _open_text(fragment, source, skipped),
            read_options=pyarrow.csv.ReadOptions(
                column_names=names or None,
                skip_rows=header_lines,
                encoding=source.encoding,
                use_threads=False,
                block_size=BLOCK_BYTES,
            ),
            parse_options=pyarrow.csv.ParseOptions(
                delimiter=delimiter, newlines_in_values=True, invalid_row_handler=note
            ),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types={name: pa.string() for name in names}, strings_can_be_null=False
            ),
        )
        for batch in reader:
            _refuse_ragged(ragged, fragment, len(names))
            yield pa.Table.from_batches([batch])
        _refuse_ragged(ragged, fragment, len(names))
    except (pa.ArrowInvalid, UnicodeDecodeError, OSError) as error:
        _refuse_ragged(ragged, fragment, len(names))
        if "Empty CSV" in str(error) or "Could not skip initial" in str(error):
            return  # nothing, or nothing but a header
        raise DataError(
            "a text table can be parsed",
            received=str(error).splitlines()[0],
            where=fragment.path,
            remedy="check data.source.delimiter, encoding and comment",
        ) from error


def read_names(fragment: Fragment, source: SourceConfig) -> list[str]:
    """A text fragment's column names, as its header or the source gives them."""
    import pyarrow as pa

    try:
        return _header(fragment, source, _delimiter(fragment, source))[0]
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError("a text table can be read", received=str(error), where=fragment.path) from error


def _delimiter(fragment: Fragment, source: SourceConfig) -> str:
    return source.delimiter or ("\t" if ".tsv" in fragment.path.lower() else ",")


def _refuse_ragged(ragged: list[Any], fragment: Fragment, num_columns: int) -> None:
    if ragged:
        row = ragged[0]
        # Arrow numbers neither blank lines nor comments, nor the breaks within a quoted value.
        line = f", record {row.number}" if row.number is not None else ""
        raise DataError(
            f"every line has {num_columns} values",
            received=f"{row.actual_columns} in {row.text[:80]!r}",
            where=f"{fragment.path}{line}",
            remedy="correct the line, set data.source.delimiter, or skip such lines with data.source.comment",
        )


def _open_text(fragment: Fragment, source: SourceConfig, skipped: Counter[str]) -> Any:
    """A text file's bytes, decompressed and without comments."""
    stream = open_filesystem(source).open_input_stream(fragment.path, compression="detect")
    if not source.comment:
        return stream
    return io.BufferedReader(_WithoutComments(stream, source.comment.encode(source.encoding), skipped), 1 << 20)


def _header(fragment: Fragment, source: SourceConfig, delimiter: str) -> tuple[list[str], int]:
    """The column names, given or from the first line that isn't blank, and the lines to skip for them."""
    if not source.header:
        return list(source.columns or ()), 0
    import csv

    with io.TextIOWrapper(_open_text(fragment, source, Counter()), encoding=source.encoding, newline="") as text:
        try:
            lines = csv.reader((line.removeprefix("\ufeff") for line in text), delimiter=delimiter)
            names = next((line for line in lines if line), [])
        except UnicodeDecodeError as error:
            raise DataError(
                f"a text table is written in {source.encoding}",
                received=str(error),
                where=fragment.path,
                remedy="set data.source.encoding, latin-1 for example",
            ) from error
    names = [name.strip() for name in names]
    if source.columns is not None and names and len(source.columns) != len(names):
        raise DataError(
            "data.source.columns names every column of a table",
            received=f"{len(source.columns)} names for {len(names)} columns",
            where=fragment.path,
            remedy="name them all, or leave `columns` out where the header does",
        )
    return (list(source.columns) if source.columns and names else names), lines.line_num


class _WithoutComments(io.RawIOBase):
    """A byte stream without the lines that start with a prefix, which are counted."""

    def __init__(self, stream: Any, prefix: bytes, skipped: Counter[str]) -> None:
        self._stream = stream
        self._skipped = skipped
        byte_order_mark = rb"(?:\xef\xbb\xbf)?"
        self._pattern = re.compile(rb"^" + byte_order_mark + re.escape(prefix) + rb".*\n?", re.MULTILINE)
        self._partial = b""  # the start of a line whose end is not read yet
        self._ready = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready:
            chunk = self._stream.read(1 << 20)
            whole, newline, rest = (self._partial + chunk).rpartition(b"\n")
            if not chunk:
                self._ready, self._partial = self._without(self._partial), b""
                break
            self._ready, self._partial = self._without(whole + newline), rest
        count = min(len(buffer), len(self._ready))
        buffer[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        return count

    def _without(self, lines: bytes) -> bytes:
        rest, count = self._pattern.subn(b"", lines)
        self._skipped[COMMENTS] += count
        return rest

    def close(self) -> None:
        self._stream.close()
        super().close()
