"""A table as it is looked at: its columns counted over all rows, its rows' names, and a sample in the table's order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from itertools import pairwise
from typing import Any

import numpy as np

from distml.arrays import whole
from distml.clean import MAX_EXAMPLES, RowCleaner
from distml.config.source import SourceConfig
from distml.data.engine import Engine
from distml.images import without_pixels
from distml.inspection.observation import Example, TableName
from distml.inspection.probe import Count, Probe, Tally, tally
from distml.inspection.scan import ColumnScan, Rows, Scan, Scanned, smallest
from distml.reading.files import Fragment
from distml.reading.source import list_fragments
from distml.schema import Column
from distml.summary import as_numbers


@dataclass(frozen=True, kw_only=True)
class View:
    """One table looked at. Rows are counted over the whole table, in the order of its files, and placed by `place`.

    `sample_rows` int64 [m] are the sample's rows; the sample is the whole table where `is_whole`.
    """

    name: TableName
    source: SourceConfig
    cleaner: RowCleaner
    fragments: tuple[Fragment, ...]
    scanned: tuple[Scanned, ...]
    starts: np.ndarray  # int64 [fragments + 1]
    columns: Mapping[str, ColumnScan]
    sample: Any
    sample_rows: np.ndarray

    @classmethod
    def open(
        cls, name: TableName, source: SourceConfig, cleaner: RowCleaner, engine: Engine,
        keys: Sequence[tuple[str, ...]] = (),
    ) -> View:  # fmt: skip
        """Scans a table. What can't be read of it is an `error` of the fragments that hold it."""
        import pyarrow as pa

        scan = Scan.of(source, cleaner, keys)
        fragments = tuple(list_fragments(source))
        scanned = tuple(engine.map(scan, fragments))
        starts = np.cumsum([0, *(found.num_rows for found in scanned)])
        told = [(found, start) for found, start in zip(scanned, starts, strict=False) if found.sample is not None]
        kinds = pa.schema([(column.name, column.arrow_type) for column in cleaner.schema.kept])
        table, rows, _ = smallest(
            pa.concat_tables([without_pixels(kinds.empty_table()), *(found.sample for found, _ in told)]),
            np.concatenate([np.empty(0, np.int64), *(found.sample_place + start for found, start in told)]),
            np.concatenate([np.empty(0, np.uint64), *(found.sample_hash for found, _ in told)]),
            scan.sample_size,
        )
        return cls(
            name=name, source=scan.source, cleaner=scan.cleaner, fragments=fragments, scanned=scanned, starts=starts,
            columns=_merged([found.columns for found, _ in told]), sample=table.combine_chunks(), sample_rows=rows,
        )  # fmt: skip

    @property
    def num_rows(self) -> int:
        """Rows that cleaning keeps."""
        return max((column.num_rows for column in self.columns.values()), default=0)

    @property
    def num_raw(self) -> int:
        """Rows that were read."""
        return int(self.starts[-1])

    @property
    def is_whole(self) -> bool:
        return bool(self.sample.num_rows == self.num_rows)

    @property
    def features(self) -> tuple[Column, ...]:
        return self.cleaner.schema.features

    @property
    def target(self) -> Column:
        return self.cleaner.schema.target

    @cached_property
    def position(self) -> np.ndarray:
        """Where in the table each row of the sample stands, from 0 to 1, float64 [m]."""
        return self.sample_rows / max(1, self.num_raw)

    @cached_property
    def rows(self) -> Rows:
        """Every kept row's place in the table, int64 [n], and its hashes."""
        told = [(found.rows, start) for found, start in zip(self.scanned, self.starts, strict=False) if found.rows]
        if not told:
            none = np.empty(0, np.uint64)
            return Rows(place=np.empty(0, np.int64), whole=none, inputs=none)
        return Rows(
            place=np.concatenate([rows.place + start for rows, start in told]),
            whole=np.concatenate([rows.whole for rows, _ in told]),
            inputs=np.concatenate([rows.inputs for rows, _ in told]),
            keys=tuple(np.concatenate(found) for found in zip(*(rows.keys for rows, _ in told), strict=True)),
        )

    def values(self, name: str) -> Any:
        """A column's sample as one pyarrow array."""
        return whole(self.sample.column(name))

    def numbers(self, name: str) -> np.ndarray:
        return as_numbers(self.values(name))

    def place(self, row: int) -> tuple[str, int]:
        """A row of the table as its file and its row there."""
        k = int(np.searchsorted(self.starts, row, side="right")) - 1
        k = min(k, len(self.fragments) - 1)
        path = self.fragments[k].path
        first = next(i for i, fragment in enumerate(self.fragments) if fragment.path == path)
        return path, int(row - self.starts[first])

    def example(self, row: int, value: str) -> Example:
        file, place = self.place(row)
        return Example(file=file, row=place, value=value)

    @property
    def files(self) -> list[tuple[str, int, int]]:
        """Each file with its first row of the table and the one after its last."""
        found: dict[str, tuple[int, int]] = {}
        for fragment, (start, end) in zip(self.fragments, pairwise(self.starts.tolist()), strict=True):
            found[fragment.path] = (found.get(fragment.path, (start, end))[0], end)
        return [(path, start, end) for path, (start, end) in found.items()]

    def count(self, probes: Sequence[Probe], engine: Engine) -> list[Tally]:
        """Each probe's exact tally over all rows, by another pass where the sample isn't all of them."""
        if not probes:
            return []
        if self.is_whole:
            return tally(probes, self.sample, self.sample_rows, self.cleaner)
        count = Count(source=self.source, cleaner=self.cleaner, probes=tuple(probes))
        found = engine.map(count, self.fragments)
        return [
            Tally(
                count=sum(tallies[i].count for tallies in found),
                examples=tuple(
                    (row + int(start), value)
                    for tallies, start in zip(found, self.starts, strict=False)
                    for row, value in tallies[i].examples
                )[:MAX_EXAMPLES],
            )
            for i in range(len(probes))
        ]


def _merged(found: Sequence[Mapping[str, ColumnScan]]) -> Mapping[str, ColumnScan]:
    if not found:
        return {}
    return {name: reduce(ColumnScan.merge, [columns[name] for columns in found]) for name in found[0]}
