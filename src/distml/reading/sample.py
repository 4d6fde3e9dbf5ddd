"""A bounded look at a table's rows: all of a small one, rows from all over a large one, the same ones each time."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from distml.errors import DataError
from distml.reading.breaks import Signs, find_records
from distml.reading.decimals import with_points
from distml.reading.files import Fragment, open_filesystem
from distml.reading.layout import joined
from distml.reading.log import ReadLog
from distml.reading.partitions import with_partition
from distml.reading.pieces import NUM_PIECES, Piece, is_wide, read_pieces
from distml.reading.sniff import encoding_of
from distml.reading.source import list_fragments, read_fragment
from distml.reading.survey import File, Survey
from distml.reading.whitespace import RUNS, SIGNS, squeezed

MAX_BYTES = 64 << 20  # of text
MAX_CELLS = 4_000_000
MAX_ROWS = 200_000


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Raw rows of a table in its order. `position` float64 [n] is where in the table each stands, from 0 to 1.

    `ragged` are lines that have another number of values than the others, which no reader takes.
    """

    table: Any
    position: np.ndarray
    is_whole: bool
    encoding: str = "utf-8"  # of text
    ragged: tuple[str, ...] = ()

    @property
    def num_rows(self) -> int:
        return int(self.table.num_rows)


@dataclass
class _Pieces:
    """Rows collected piece by piece, with the part of the table that each piece covers."""

    found: Survey
    tables: list[Any] = field(default_factory=list)
    positions: list[np.ndarray] = field(default_factory=list)
    encoding: str = "utf-8"
    ragged: list[str] = field(default_factory=list)
    is_whole: bool = True

    def add(self, file: File, table: Any, start: float, end: float) -> None:
        """Rows of a file, its folders' columns still to come, from one part of the table to another."""
        fragment = Fragment(index=0, path=file.path, format=file.format, partition=file.partition)
        self.tables.append(with_partition(with_points(table, self.found.source, ReadLog(), file.path), fragment))
        self.positions.append(np.linspace(start, end, table.num_rows, endpoint=False))

    def sample(self, max_rows: int) -> Sample:
        table = joined(self.tables)
        position = np.concatenate(self.positions)
        is_whole = self.is_whole
        if table.num_rows > max_rows:
            # Drawn, because every k-th row of a table that repeats by hour or weekday shows some of them only.
            chosen = np.sort(np.random.default_rng(0).choice(table.num_rows, max_rows, replace=False))
            table, position, is_whole = table.take(chosen), position[chosen], False
        return Sample(
            table=table.combine_chunks(),
            position=position,
            is_whole=is_whole,
            encoding=self.encoding,
            ragged=tuple(self.ragged),
        )


def sample_table(found: Survey) -> Sample:
    """The rows of a table to look at.

    Raises `DataError` where there are none, or where most lines can't be parted as the survey says.
    """
    pieces = _Pieces(found, is_whole=not found.num_unseen, encoding=found.source.encoding)
    first = found.files[0]
    if found.source.schema_changes == "align":
        _add_fragments(found, pieces)
    elif first.format == "csv":
        _add_texts(found, pieces)
    elif first.format == "parquet":
        _add_parquet(found, pieces)
    else:
        _add_fragments(found, pieces)
    num_rows = sum(table.num_rows for table in pieces.tables)
    if len(pieces.ragged) > max(20, num_rows):
        raise DataError(
            f"every line has {len(first.columns)} values",
            received=f"lines such as {pieces.ragged[0][:80]!r}",
            where=first.path,
            remedy="write the table with one delimiter, and values that hold it in quotes",
        )
    if not num_rows:
        raise DataError("a table has at least one row", received="only a header", where=first.path)
    return pieces.sample(_max_rows(found))


def _max_rows(found: Survey) -> int:
    return min(MAX_ROWS, max(2_000, MAX_CELLS // max(1, len(found.files[0].columns))))


# Text


def _add_texts(found: Survey, pieces: _Pieces) -> None:
    filesystem = open_filesystem(found.source)
    total = sum(file.size for file in found.files)
    read: list[tuple[File, Piece, float]] = []
    before = 0
    for file in found.files:
        parts, is_whole = read_pieces(filesystem, file, max(1 << 16, MAX_BYTES * file.size // total))
        read += [(file, part, before / total) for part in parts]
        pieces.is_whole &= is_whole
        before += file.size
    if found.source.encoding == "utf-8":  # so far judged by the files' beginnings
        others = (encoding_of(part.content) for _, part, _ in read)
        pieces.encoding = next((encoding for encoding in others if encoding != "utf-8"), "utf-8")
    for file, part, place in read:
        share = file.size / total
        rows = _parse(part.content, file, found, pieces)
        pieces.add(file, rows, place + part.start * share, place + part.end * share)


def _parse(content: bytes, file: File, found: Survey, pieces: _Pieces) -> Any:
    """Rows of texts; lines that can't be parted are collected."""
    import pyarrow as pa
    import pyarrow.csv

    assert file.dialect is not None
    source, names = found.source, list(found.source.columns or file.columns)
    encoding = "utf-8" if is_wide(file) else pieces.encoding
    if source.comment:
        pattern = rb"^(?:\xef\xbb\xbf)?" + re.escape(source.comment.encode(encoding)) + rb".*\n?"
        content = re.sub(pattern, b"", content, flags=re.MULTILINE)

    delimiter = file.dialect.delimiter
    if delimiter == RUNS and content.strip():
        signs = Signs(delimiter=SIGNS)
        content, delimiter = squeezed(content, find_records(content, signs, is_last=True), signs)[0], "\t"

    def note(row: Any) -> str:
        pieces.ragged.append(row.text)
        return "skip"

    empty = pa.table({name: pa.array([], pa.string()) for name in names})
    if not content.strip():
        return empty
    try:
        return pyarrow.csv.read_csv(
            io.BytesIO(content),
            read_options=pyarrow.csv.ReadOptions(column_names=names, encoding=encoding, use_threads=False),
            parse_options=pyarrow.csv.ParseOptions(
                delimiter=delimiter,
                quote_char=source.quote or False,
                escape_char=source.escape or False,
                newlines_in_values=True,
                invalid_row_handler=note,
            ),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
            ),
        ).select(empty.column_names)
    except (pa.ArrowInvalid, UnicodeDecodeError) as error:
        raise DataError("a text table can be parsed", received=str(error).splitlines()[0], where=file.path) from error


# Parquet and the rest


def _add_parquet(found: Survey, pieces: _Pieces) -> None:
    """Row groups from all over; of a large one its first rows."""
    import pyarrow.parquet as pq

    filesystem = open_filesystem(found.source)
    files = [(file, pq.ParquetFile(filesystem.open_input_file(file.path))) for file in found.files]
    groups = [
        (file, opened, group, opened.metadata.row_group(group).num_rows)
        for file, opened in files
        for group in range(opened.num_row_groups)
    ]
    total = sum(count for *_, count in groups)
    if not total:
        return
    wanted: Sequence[int] = range(len(groups))
    if total > _max_rows(found):
        wanted = sorted({k * (len(groups) - 1) // (NUM_PIECES - 1) for k in range(NUM_PIECES)})
        pieces.is_whole = False
    each = _max_rows(found) // len(wanted)
    starts = np.cumsum([0, *(count for *_, count in groups)]) / total
    columns = list(found.files[0].columns)
    for k in wanted:
        file, opened, group, count = groups[k]
        table = _first_rows(opened, group, columns, count if pieces.is_whole else min(count, each))
        pieces.add(file, table, starts[k], starts[k] + table.num_rows / total)


def _first_rows(file: Any, group: int, columns: list[str], num_rows: int) -> Any:
    import pyarrow as pa

    batches: list[Any] = []
    for batch in file.iter_batches(batch_size=min(num_rows, 1 << 16), row_groups=[group], columns=columns):
        batches.append(batch)
        if sum(len(batch) for batch in batches) >= num_rows:
            break
    return pa.Table.from_batches(batches).slice(0, num_rows).select(columns)


def _add_fragments(found: Survey, pieces: _Pieces) -> None:
    """The first rows of each of the files, which only their reader knows how to open."""
    files = {file.path: file for file in found.files}
    fragments = list_fragments(found.source, ranges=False)
    for number, fragment in enumerate(fragments):
        left = -(-_max_rows(found) // len(fragments))
        for block in read_fragment(replace(fragment, partition=()), found.source):
            if not left:
                pieces.is_whole = False
                break
            file = files.get(fragment.path, found.files[0])
            pieces.add(file, block.slice(0, left), number / len(fragments), (number + 1) / len(fragments))
            pieces.is_whole &= block.num_rows <= left
            left -= pieces.tables[-1].num_rows
