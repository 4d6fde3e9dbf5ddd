"""The pass that looks at a table: each fragment read, cleaned as a run would clean it, and counted.

What a fragment comes to is merged in the table's order. Everything in it is exact but the sample, which is all of the
table where that is small, else the rows whose places have the smallest hashes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any

import numpy as np

from distml.arrays import whole
from distml.clean import Cleaned, Finding, RowCleaner, merge_findings
from distml.config.source import SourceConfig
from distml.data.identity import column_hashes, input_hashes, whole_hashes
from distml.errors import DistmlError
from distml.hashing import hash_text, mix, row_hashes
from distml.images import without_pixels
from distml.inspection.counts import NumberCounts, TextCounts
from distml.inspection.stretch import Run, Stretch
from distml.reading.files import Fragment
from distml.reading.log import ReadLog
from distml.reading.source import read_fragment
from distml.summary import as_numbers

MAX_CELLS = 4_000_000  # of a sample; below it a table is looked at whole
MAX_ROWS = 200_000


@dataclass(frozen=True, kw_only=True)
class ColumnScan:
    """One column of a table as cleaned: its values counted, and what its order shows."""

    counts: NumberCounts | TextCounts
    num_rows: int = 0
    nulls: int = 0
    run: Run = field(default_factory=Run)
    stretch: Stretch = field(default_factory=Stretch)

    def merge(self, other: ColumnScan) -> ColumnScan:
        return ColumnScan(
            counts=self.counts.merge(other.counts),  # type: ignore[arg-type]
            num_rows=self.num_rows + other.num_rows,
            nulls=self.nulls + other.nulls,
            run=self.run.merge(other.run),
            stretch=self.stretch.merge(other.stretch),
        )


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Cleaned rows: their places (row of the fragment, int64 [n]) and hashes, uint64 [n] each, of the whole row, of
    features and target alone, and of each key's columns."""

    place: np.ndarray
    whole: np.ndarray
    inputs: np.ndarray
    keys: tuple[np.ndarray, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Scanned:
    """What one fragment came to. `sample`: cleaned rows, `sample_place` int64 [m] their rows in the fragment."""

    path: str
    num_rows: int = 0
    layout: Mapping[str, str] = field(default_factory=dict)  # column: type, as the file has them
    columns: Mapping[str, ColumnScan] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    reading: tuple[Finding, ...] = ()  # of lines
    rows: Rows | None = None
    sample: Any = None
    sample_place: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    sample_hash: np.ndarray = field(default_factory=lambda: np.empty(0, np.uint64))
    error: DistmlError | None = None


@dataclass(frozen=True, kw_only=True)
class Scan:
    """The pass over fragments. `keys`: columns that together name a row."""

    source: SourceConfig
    cleaner: RowCleaner
    sample_size: int
    most: int  # distinct values of a column that are counted
    keys: tuple[tuple[str, ...], ...] = ()

    @classmethod
    def of(cls, source: SourceConfig, cleaner: RowCleaner, keys: Sequence[tuple[str, ...]] = ()) -> Scan:
        num_columns = max(1, len(cleaner.schema.kept))
        size = int(np.clip(MAX_CELLS // num_columns, 2_000, MAX_ROWS))
        return cls(source=source, cleaner=replace(cleaner, missing=source.missing), keys=tuple(keys),
                   sample_size=size, most=int(np.clip(MAX_CELLS // num_columns, 2_000, 50_000)))  # fmt: skip

    def __call__(self, fragment: Fragment) -> Scanned:
        blocks: list[_Block] = []
        log = ReadLog(is_private=any(column.private for column in self.cleaner.schema.columns))
        layout: dict[str, str] = {}
        seen, error = 0, None
        try:
            for raw in read_fragment(fragment, tolerant(self.source), log):
                layout = layout or {field.name: str(field.type) for field in raw.schema}
                blocks.append(self._look(raw, seen, fragment))
                seen += raw.num_rows
                if len(blocks) > 8:
                    blocks = [reduce(_Block.merge, blocks)]
        except DistmlError as found:
            error = found
        if not blocks:
            return Scanned(path=fragment.path, num_rows=seen, layout=layout, reading=tuple(log.findings()), error=error)
        block = reduce(_Block.merge, blocks)
        return Scanned(
            path=fragment.path, num_rows=seen, layout=layout, columns=block.columns, reading=tuple(log.findings()),
            findings=tuple(merge_findings(block.findings)), rows=block.rows, sample=block.sample,
            sample_place=block.sample_place, sample_hash=block.sample_hash, error=error,
        )  # fmt: skip

    def _look(self, raw: Any, seen: int, fragment: Fragment) -> _Block:
        cleaned = self.cleaner.apply(raw)
        place = np.flatnonzero(cleaned.kept) + seen
        table = cleaned.table
        # Of names and places alone: the same rows whatever the fragments, and drawn evenly from a table in any order.
        salt = hash_text(f"{fragment.path}:{fragment.start}")
        drawn = mix(mix((place + fragment.first_row).astype(np.uint64)) ^ salt)
        chosen = np.sort(np.argsort(drawn, kind="stable")[: self.sample_size])
        hashes = column_hashes(table, raw, cleaned.kept, self.cleaner.schema)
        return _Block(
            size=self.sample_size,
            columns={name: self._column(name, table.column(name), hashed) for name, hashed in hashes.items()},
            findings=[finding.placed("source", seen) for finding in cleaned.findings],
            rows=self._rows(raw, cleaned, place, hashes),
            sample=without_pixels(table.take(chosen)), sample_place=place[chosen], sample_hash=drawn[chosen],
        )  # fmt: skip

    def _column(self, name: str, column: Any, hashes: np.ndarray) -> ColumnScan:
        values = whole(column)
        missing = values.is_null().to_numpy(zero_copy_only=False)
        is_number = self.cleaner.schema[name].kind in ("numeric", "datetime", "image")
        present = values.drop_null()
        return ColumnScan(
            counts=NumberCounts.of(as_numbers(present), self.most) if is_number else TextCounts.of(present, self.most),
            num_rows=len(values), nulls=int(missing.sum()),
            run=Run.of(hashes), stretch=Stretch.of(missing),
        )  # fmt: skip

    def _rows(self, raw: Any, cleaned: Cleaned, place: np.ndarray, hashes: Mapping[str, np.ndarray]) -> Rows:
        schema = self.cleaner.schema
        return Rows(
            place=place,
            whole=whole_hashes(hashes, raw, cleaned.kept, schema),
            inputs=input_hashes(hashes, schema),
            keys=tuple(row_hashes(_key(key, cleaned.table, raw, cleaned.kept)) for key in self.keys),
        )


def tolerant(source: SourceConfig) -> SourceConfig:
    """A source whose reading goes on where a run's would end, so that all faults are counted."""
    goes_on = {"ragged": "drop", "undecodable": "replace"}
    return source.model_copy(update={key: how for key, how in goes_on.items() if getattr(source, key) == "fail"})


def _key(names: tuple[str, ...], table: Any, raw: Any, kept: np.ndarray) -> Any:
    """A key's columns, excluded ones as they came."""
    import pyarrow as pa

    columns = [table.column(n) if n in table.column_names else raw.column(n).filter(pa.array(kept)) for n in names]
    return pa.table(columns, list(names))


@dataclass(frozen=True, kw_only=True)
class _Block:
    """A fragment so far."""

    size: int
    columns: Mapping[str, ColumnScan]
    findings: list[Finding]
    rows: Rows
    sample: Any
    sample_place: np.ndarray
    sample_hash: np.ndarray

    def merge(self, after: _Block) -> _Block:
        import pyarrow as pa

        sample, place, hashes = smallest(
            pa.concat_tables([self.sample, after.sample]),
            np.concatenate([self.sample_place, after.sample_place]),
            np.concatenate([self.sample_hash, after.sample_hash]),
            self.size,
        )
        pairs = zip((self.rows.place, self.rows.whole, self.rows.inputs, *self.rows.keys),
                    (after.rows.place, after.rows.whole, after.rows.inputs, *after.rows.keys), strict=True)  # fmt: skip
        places, wholes, inputs, *keys = (np.concatenate(pair) for pair in pairs)
        return _Block(
            size=self.size,
            columns={name: column.merge(after.columns[name]) for name, column in self.columns.items()},
            findings=[*self.findings, *after.findings],
            rows=Rows(place=places, whole=wholes, inputs=inputs, keys=tuple(keys)),
            sample=sample, sample_place=place, sample_hash=hashes,
        )  # fmt: skip


def smallest(table: Any, place: np.ndarray, hashes: np.ndarray, size: int) -> tuple[Any, np.ndarray, np.ndarray]:
    """The rows with the smallest hashes, in the order that they came in."""
    if len(hashes) <= size:
        return table, place, hashes
    chosen = np.sort(np.argsort(hashes, kind="stable")[:size])
    return table.take(chosen), place[chosen], hashes[chosen]
