"""Text tables: CSV and its kin, every value a text, with errors that name the file and the line.

Blocks of whole records (`lines`) are parsed by Arrow one by one. What is no row, or none of the right width, is counted
and shown by its line in the file, counted as an editor does: comments, blank lines and breaks within quotes too.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from distml.config.source import SourceConfig
from distml.errors import DataError
from distml.reading.breaks import BLANK, COMMENT, ROW
from distml.reading.decimals import with_points
from distml.reading.files import Fragment
from distml.reading.lines import BLOCK_BYTES, Block, delimiter_of, read_blocks, signs_of
from distml.reading.log import Line, ReadLog
from distml.reading.undecodable import mended
from distml.reading.whitespace import RUNS

COMMENTS = "no comment lines"
BLANKS = "no blank lines"
_HEAD_BYTES = 1 << 18


def read_text(fragment: Fragment, source: SourceConfig, log: ReadLog) -> Iterator[Any]:
    """A text fragment's raw pyarrow tables; what is no row is counted in `log`."""
    names: list[str] = []
    if fragment.start:
        names = read_names(fragment, source)
    for block in read_blocks(fragment, source):
        block = _rows_of(block, fragment, source, log)
        if not names:
            names, block = _split_header(block, fragment, source, log)
        block = mended(block, fragment, source, log)
        if names and len(block.lines):
            parser = _Parser(fragment=fragment, source=source, names=tuple(names), log=log)
            table = parser.parse(block)
            yield with_points(table, source, log, fragment.path)


def read_names(fragment: Fragment, source: SourceConfig) -> list[str]:
    """A text fragment's column names, as its header or the source gives them."""
    whole = replace(fragment, start=0, end=None, first_line=1)
    for block in read_blocks(whole, source, _HEAD_BYTES) if source.header else ():
        names, _ = _split_header(_rows_of(block, whole, source, ReadLog()), whole, source, ReadLog())
        if names:
            return names
    return [] if source.header else list(source.columns or ())


def read_text_schema(fragment: Fragment, source: SourceConfig) -> Any:
    """A text fragment's columns as a pyarrow schema: texts."""
    import pyarrow as pa

    return pa.schema([(name, pa.string()) for name in read_names(fragment, source)])


def _rows_of(block: Block, fragment: Fragment, source: SourceConfig, log: ReadLog) -> Block:
    """The block's rows; comments and blank lines are counted."""
    kinds = block.records.kinds
    for kind, rule in ((COMMENT, COMMENTS), (BLANK, BLANKS)):
        found = np.flatnonzero(kinds == kind) if kinds.any() else ()
        log.note(rule, "drop", fragment.path, len(found), block.examples(found))
    block = block.take(kinds == ROW)
    return block.squeezed(signs_of(fragment, source)) if source.delimiter == RUNS and len(block.lines) else block


def _split_header(block: Block, fragment: Fragment, source: SourceConfig, log: ReadLog) -> tuple[list[str], Block]:
    """The column names, given or from the first row of a file's block, and the block without that."""
    if not source.header:
        return list(source.columns or ()), block
    if not len(block.lines):
        return [], block
    # Without a header there are no names: what can't be decoded of it is replaced where such lines are left out.
    kept = source if source.undecodable == "fail" else source.model_copy(update={"undecodable": "replace"})
    head = mended(block.take(np.arange(len(block.lines)) < 1), fragment, kept, log)
    names = _parted(head.content(0).decode(), fragment, source)
    if source.columns is not None and len(source.columns) != len(names):
        raise DataError(
            "data.source.columns names every column of a table",
            received=f"{len(source.columns)} names for {len(names)} columns",
            where=fragment.path,
            remedy="name them all, or leave `columns` out where the header does",
        )
    return list(source.columns or names), block.take(np.arange(len(block.lines)) > 0)


def _parted(line: str, fragment: Fragment, source: SourceConfig) -> list[str]:
    """A header's names, stripped."""
    quoting = {"quotechar": source.quote} if source.quote else {"quoting": csv.QUOTE_NONE}
    reader = csv.reader(
        io.StringIO(line, newline=""), delimiter=delimiter_of(fragment, source), escapechar=source.escape or None,
        **quoting,
    )  # fmt: skip
    return [name.strip() for name in next(reader)]


@dataclass(frozen=True, kw_only=True)
class _Parser:
    """Rows of one width from blocks of a fragment."""

    fragment: Fragment
    source: SourceConfig
    names: tuple[str, ...]
    log: ReadLog

    def parse(self, block: Block) -> Any:
        """A block's rows as a pyarrow table of texts."""
        table, ragged = self._read(block, threads=True)
        if not ragged:
            return table
        table, ragged = self._read(block, threads=False)  # in one thread Arrow numbers the rows
        return self._settle(block, {number - 1: width for number, width in ragged}, table)

    def _settle(self, block: Block, widths: dict[int, int], others: Any) -> Any:
        """What the source's rule makes of rows of another width; `others` are the block's rows without them."""
        path, rule = self.fragment.path, f"every line has {len(self.names)} values"
        examples = block.examples(widths)
        if self.source.ragged == "fail":
            self._refuse(block, next(iter(widths)), widths)
        if self.source.ragged == "pad":
            self.log.note(rule, "replace", path, len(widths), examples)
            padded = block.replaced({i: self._padded(block, i, widths) for i in widths})
            return self._read(padded, threads=False)[0]
        self.log.note(rule, self.source.ragged, path, len(widths), examples)
        if self.source.ragged == "quarantine":
            for i, width in widths.items():
                text = block.content(i).decode("utf-8", "replace")
                self.log.aside.append(Line(path, int(block.lines[i]), text, f"{rule}, this one {width}"))
        return others

    def _padded(self, block: Block, record: int, widths: dict[int, int]) -> bytes:
        """A row filled up with missing values, or without empty ones that are too many."""
        content, delimiter = block.content(record), delimiter_of(self.fragment, self.source).encode()
        surplus = widths[record] - len(self.names)
        if surplus <= 0:
            return content + delimiter * -surplus + b"\n"
        if not content.endswith(delimiter * surplus):
            self._refuse(block, record, widths)
        return content[: -surplus * len(delimiter)] + b"\n"

    def _refuse(self, block: Block, record: int, widths: dict[int, int]) -> None:
        line, text = block.examples([record])[0]
        more = f" ({len(widths)} lines near it haven't)" if len(widths) > 1 else ""
        raise DataError(
            f"every line has {len(self.names)} values{more}",
            received=f"{widths[record]} in {self.log.shown(text)!r}",
            where=f"{self.fragment.path}, line {line}",
            remedy="correct the line, set data.source.delimiter or quote, skip such lines with data.source.comment, "
            "or set data.source.ragged: drop, quarantine or pad",
        )

    def _read(self, block: Block, *, threads: bool) -> tuple[Any, list[tuple[Any, int]]]:
        """The rows of the right width, and (number, width) of the others; a number is None with threads."""
        import pyarrow as pa
        import pyarrow.csv

        ragged: list[tuple[Any, int]] = []

        def note(row: Any) -> str:
            ragged.append((row.number, row.actual_columns))
            return "skip"

        unique = [str(i) for i in range(len(self.names))]  # a name may stand twice
        try:
            table = pyarrow.csv.read_csv(
                pa.BufferReader(block.data),
                read_options=pyarrow.csv.ReadOptions(
                    column_names=unique, use_threads=threads, block_size=max(BLOCK_BYTES, len(block.data) + 1)
                ),
                parse_options=pyarrow.csv.ParseOptions(
                    delimiter=delimiter_of(self.fragment, self.source),
                    quote_char=self.source.quote or False,
                    escape_char=self.source.escape or False,
                    newlines_in_values=block.records.has_quoted_breaks,
                    invalid_row_handler=note,
                ),
                convert_options=pyarrow.csv.ConvertOptions(
                    column_types=dict.fromkeys(unique, pa.string()), strings_can_be_null=False, check_utf8=False
                ),
            )
        except pa.ArrowInvalid as error:
            if "Empty CSV" in str(error):
                return _empty(self.names), []
            raise DataError(
                "a text table can be parsed",
                received=str(error).splitlines()[0],
                where=f"{self.fragment.path}, from line {block.lines[0]}",
                remedy="check data.source.delimiter, quote, escape and comment",
            ) from error
        return table.rename_columns(list(self.names)), ragged


def _empty(names: Sequence[str]) -> Any:
    import pyarrow as pa

    return pa.table([pa.array([], pa.string())] * len(names), names=list(names))
