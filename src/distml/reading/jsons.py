"""JSON lines, and files that are one JSON array: an object is a row, its keys are the columns.

Texts stay texts, also those that look like dates; numbers, truth values and null are what JSON says. A column that
holds both texts and others within a block is one of texts. An array is made lines of on the way, without parsing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from distml.config.base import as_text
from distml.config.source import SourceConfig
from distml.errors import DataError
from distml.reading.breaks import BLANK, ROW, Signs
from distml.reading.files import Fragment
from distml.reading.json_array import LinesOfArray, is_array
from distml.reading.lines import BLOCK_BYTES, Block, open_text, read_blocks
from distml.reading.log import Line, ReadLog
from distml.reading.text import BLANKS
from distml.reading.undecodable import mended

HEAD_BYTES = 1 << 20
RULE = "every line is a JSON object"
LINES = Signs(delimiter=b"\0", quote=None)


def read_json(fragment: Fragment, source: SourceConfig, log: ReadLog) -> Iterator[Any]:
    """A fragment's raw pyarrow tables; keys that a block doesn't have are null there, if the file begins with them."""
    reader = _Reader(fragment, source, log, head_names(fragment, source, log))
    for block in read_objects(fragment, source):
        block = reader.rows_of(block)
        if len(block.lines):
            yield reader.parse(block)


def head_names(fragment: Fragment, source: SourceConfig, log: ReadLog) -> tuple[str, ...]:
    return tuple(read_json_schema(fragment, source, log).names)


def read_json_schema(fragment: Fragment, source: SourceConfig, log: ReadLog | None = None) -> Any:
    """The pyarrow schema of a file's first rows; whole numbers are numbers, unless they are too large for that.

    log: says whether lines may be shown; nothing is noted in it.
    """
    import pyarrow as pa

    whole = replace(fragment, start=0, end=None, first_line=1)
    reader = _Reader(whole, source, ReadLog(is_private=log is not None and log.is_private), ())
    for block in read_objects(whole, source, HEAD_BYTES):
        block = reader.rows_of(block)
        if len(block.lines):
            return pa.schema([_as_number(name, column) for name, column in _columns(reader.parse(block))])
    return pa.schema([])


def read_objects(fragment: Fragment, source: SourceConfig, block_bytes: int = BLOCK_BYTES) -> Iterator[Block]:
    """Blocks of one object a line."""
    wrap = LinesOfArray if _is_array(fragment, source) else None
    return read_blocks(fragment, source, block_bytes, signs=LINES, wrap=wrap)


def is_lines(fragment: Fragment, source: SourceConfig) -> bool:
    return not _is_array(fragment, source)


def _is_array(fragment: Fragment, source: SourceConfig) -> bool:
    if fragment.start:
        return False
    with open_text(fragment, source) as stream:
        return is_array(stream.read(1 << 12))


def _columns(table: Any) -> Iterator[tuple[str, Any]]:
    yield from zip(table.column_names, table.columns, strict=True)


def _as_number(name: str, column: Any) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if pa.types.is_integer(kind) and len(column):
        extremes = [value for value in pc.min_max(column).as_py().values() if value is not None]
        kind = pa.float64() if all(abs(value) <= 1 << 53 for value in extremes) else kind
    return pa.field(name, kind)


@dataclass
class _Reader:
    """Blocks of objects as tables."""

    fragment: Fragment
    source: SourceConfig
    log: ReadLog
    names: tuple[str, ...]
    texts: set[str] = field(default_factory=set)  # columns of texts that look like something else

    def rows_of(self, block: Block) -> Block:
        """The lines that aren't blank, in utf-8."""
        kinds = block.records.kinds
        blank = np.flatnonzero(kinds == BLANK)
        if len(blank) and not _is_array(self.fragment, self.source):
            self.log.note(BLANKS, "drop", self.fragment.path, len(blank), block.examples(blank))
        return mended(block.take(kinds == ROW), self.fragment, self.source, self.log)

    def parse(self, block: Block) -> Any:
        import pyarrow as pa

        try:
            table = self._parse_quickly(block)
        except pa.ArrowInvalid:
            table = self._parse_line_by_line(block)
        for name in self.names:
            if name not in table.column_names:
                table = table.append_column(name, pa.nulls(table.num_rows))
        first = [name for name in self.names if name in table.column_names]
        return table.select([*first, *(name for name in table.column_names if name not in self.names)])

    def _parse_quickly(self, block: Block) -> Any:
        import pyarrow as pa
        import pyarrow.json

        known = pa.schema([(name, pa.string()) for name in sorted(self.texts)])
        table = pyarrow.json.read_json(
            pa.BufferReader(block.data),
            read_options=pyarrow.json.ReadOptions(use_threads=False, block_size=len(block.data) + 1),
            parse_options=pyarrow.json.ParseOptions(explicit_schema=known, unexpected_field_behavior="infer"),
        )
        if table.num_rows != len(block.lines):
            raise pa.ArrowInvalid("a line is no object")
        taken = {item.name for item in table.schema if pa.types.is_timestamp(item.type)}
        if taken:
            self.texts |= taken
            return self._parse_quickly(block)
        present = [
            name for name, column in _columns(table) if name not in self.texts or column.null_count < len(column)
        ]
        return table.select(present)

    def _parse_line_by_line(self, block: Block) -> Any:
        """Rows of a block in which a line is no object, or a column has values of several types."""
        rows: list[dict[str, Any]] = []
        bad: dict[int, str] = {}
        for i in range(len(block.lines)):
            try:
                row = json.loads(block.content(i))
                reason = None if isinstance(row, dict) else f"{type(row).__name__} instead"
            except ValueError as error:
                reason = str(error)
            if reason is None:
                rows.append(row)
            else:
                bad[i] = reason
        self._settle(block, bad)
        return _table_of(rows)

    def _settle(self, block: Block, bad: dict[int, str]) -> None:
        """What the source's rule makes of lines that are no objects; there is nothing to pad."""
        if not bad:
            return
        path, action, examples = self.fragment.path, self.source.ragged, block.examples(bad)
        if action == "fail" or action == "pad":
            line, text = examples[0]
            unit = "item" if _is_array(self.fragment, self.source) else "line"
            raise DataError(
                RULE,
                received=f"{self.log.shown(text)!r} ({next(iter(bad.values()))})",
                where=f"{path}, {unit} {line}",
                remedy="write one object a line, or one array of objects; or set data.source.ragged: drop",
            )
        self.log.note(RULE, action, path, len(bad), examples)
        if action == "quarantine":
            texts = {i: block.content(i).decode("utf-8", "replace") for i in bad}
            self.log.aside += [Line(path, int(block.lines[i]), texts[i], f"{RULE}: {bad[i]}") for i in bad]


def _table_of(rows: list[dict[str, Any]]) -> Any:
    """Rows as a pyarrow table; a column of several types is one of texts."""
    import pyarrow as pa

    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {}
    for name in names:
        values = [row.get(name) for row in rows]
        kinds = {type(value) for value in values if value is not None}
        if kinds <= {int, float} or len(kinds) == 1:
            values = [float(v) if float in kinds and v is not None else v for v in values]
            columns[name] = pa.array(values)
        else:
            columns[name] = pa.array([_as_text(value) for value in values], pa.string())
    return pa.table(columns) if columns else pa.table({}).select([])


def _as_text(value: Any) -> str | None:
    """As cleaning writes a category, so that it is one whatever other values its block has."""
    if value is None or isinstance(value, str):
        return value
    return as_text(value) if isinstance(value, (bool, int, float)) else json.dumps(value, ensure_ascii=False)
