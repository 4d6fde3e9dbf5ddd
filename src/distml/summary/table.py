"""Summaries of a table's columns, and a bounded sample of its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any

import numpy as np

from distml.config.base import Kind
from distml.hashing import mix
from distml.images import brightness, is_tensor
from distml.schema import with_plain_texts
from distml.summary.column import ColumnSummary
from distml.summary.numbers import as_numbers, lengths
from distml.summary.sketch import first_distinct
from distml.target_counts import TargetCounts, folds_of


@dataclass(frozen=True, kw_only=True)
class ByTarget:
    """Columns' counts by target; `target` is its column, and `seed` what the folds depend on."""

    target: str = ""
    seed: int = 0
    counts: Mapping[str, TargetCounts] = field(default_factory=dict)

    def fresh(self) -> ByTarget:
        return replace(self, counts={name: TargetCounts(known.num_folds) for name, known in self.counts.items()})

    def update(self, table: Any, rows: np.ndarray | None) -> None:
        """Adds a pyarrow table's rows, whose hashes are `rows`."""
        for name, known in self.counts.items():
            assert rows is not None, "folds need row hashes"
            folds = folds_of(rows, known.num_folds, self.seed)
            known.update(table.column(name), table.column(self.target).combine_chunks(), folds)

    def merge(self, other: ByTarget) -> ByTarget:
        return replace(self, counts={name: known.merge(other.counts[name]) for name, known in self.counts.items()})

    def without(self, copies: ByTarget) -> ByTarget:
        counts = {name: known.without(copies.counts[name]) for name, known in self.counts.items()}
        return replace(self, counts=counts)


class TableSummary:
    """Summaries of a table's columns, and a bounded sample of its rows: those with the smallest hashes.

    columns: name -> `ColumnSummary`. sample: pyarrow table of at most `sample_size` rows, one per row hash, with
    `sample_hashes` uint64 beside it in ascending order; a quantile of the sample errs by about
    sqrt(q (1 - q) / sample_size) in rank.
    """

    def __init__(
        self,
        kinds: dict[str, Kind],
        *,
        sample_size: int = 0,
        edges: dict[str, np.ndarray] | None = None,
        by_target: ByTarget | None = None,
    ):
        self.columns = {
            name: ColumnSummary(kind, edges=(edges or {}).get(name)).fresh() for name, kind in kinds.items()
        }
        self.sample_size = sample_size
        self.sample: Any = None
        self.sample_hashes = np.empty(0, np.uint64)
        self._by_target = by_target or ByTarget()

    @property
    def by_target(self) -> Mapping[str, TargetCounts]:
        """Column -> how the target goes with its categories, for columns that are encoded by it."""
        return self._by_target.counts

    @property
    def count(self) -> int:
        """Rows seen."""
        return max((column.count for column in self.columns.values()), default=0)

    def fresh(self) -> TableSummary:
        """An empty summary of the same columns, bins and sample size."""
        empty = TableSummary({}, sample_size=self.sample_size, by_target=self._by_target.fresh())
        empty.columns = {name: column.fresh() for name, column in self.columns.items()}
        return empty

    def plain(self) -> TableSummary:
        """An empty summary of the same columns and bins, without a sample, distinct values and counts by target."""
        empty = TableSummary({})
        empty.columns = {name: replace(column.fresh(), smallest=None) for name, column in self.columns.items()}
        return empty

    def update(
        self, table: Any, rows: np.ndarray | None = None, hashes: Mapping[str, np.ndarray] | None = None
    ) -> None:
        """Adds a pyarrow table that has the summary's columns.

        `rows` are its row hashes, needed for the sample; `hashes` those of its numbers, where they are known.
        """
        for name, column in self.columns.items():
            column.update(table.column(name), None if hashes is None else hashes.get(name))
        self._by_target.update(table, rows)
        if self.sample_size and table.num_rows:
            assert rows is not None, "a sample needs row hashes"
            # Mixed once more, so that the sample is independent of the split, which is cut from the same hashes.
            order, kept = first_distinct(mix(rows), self.sample_size)
            self._add_samples([(self._sampled(table, order), kept)])

    def _sampled(self, table: Any, order: np.ndarray) -> Any:
        chosen = with_plain_texts(table.select(list(self.columns)).take(order))
        for i, (name, column) in enumerate(self.columns.items()):
            if column.kind == "text":
                chosen = chosen.set_column(i, name, lengths(chosen.column(i)))
            elif is_tensor(chosen.column(i).type):
                chosen = chosen.set_column(i, name, brightness(chosen.column(i)))
        return chosen

    def merge(self, *others: TableSummary) -> TableSummary:
        """The summary of all tables' rows together; none is changed."""
        parts = (self, *others)
        assert all(list(self.columns) == list(other.columns) for other in others), "summaries of different tables"
        by_target = reduce(ByTarget.merge, [part._by_target for part in parts])
        merged = TableSummary({}, sample_size=max(part.sample_size for part in parts), by_target=by_target)
        merged.columns = {
            name: reduce(ColumnSummary.merge, [part.columns[name] for part in parts]) for name in self.columns
        }
        merged._add_samples([(part.sample, part.sample_hashes) for part in parts if part.sample is not None])
        return merged

    def without(self, copies: TableSummary) -> TableSummary:
        """The summary without rows that stand in it twice; the sample has each row once as it is."""
        by_target = self._by_target.without(copies._by_target)
        rest = TableSummary({}, sample_size=self.sample_size, by_target=by_target)
        rest.columns = {name: column.without(copies.columns[name]) for name, column in self.columns.items()}
        rest.sample, rest.sample_hashes = self.sample, self.sample_hashes
        return rest

    def _add_samples(self, samples: Sequence[tuple[Any, np.ndarray]]) -> None:
        import pyarrow as pa

        if self.sample is not None:
            samples = [(self.sample, self.sample_hashes), *samples]
        if not samples:
            return
        order, self.sample_hashes = first_distinct(np.concatenate([kept for _, kept in samples]), self.sample_size)
        self.sample = pa.concat_tables([table for table, _ in samples]).take(order).combine_chunks()

    def quantiles(self, name: str, q: Sequence[float] | np.ndarray) -> np.ndarray:
        """Quantiles of a number column from the sample, float64 [len(q)]; NaN without values."""
        values = as_numbers(self.sample.column(name).combine_chunks().drop_null())
        return np.quantile(values, q) if len(values) else np.full(len(q), np.nan)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, without the sample."""
        return {"columns": {name: column.to_dict() for name, column in self.columns.items()}}

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> TableSummary:
        summary = cls({})
        summary.columns = {name: ColumnSummary.from_dict(column) for name, column in value["columns"].items()}
        return summary


def sample_size_for(num_columns: int) -> int:
    """Rows to sample so that a wide table's sample stays within some tens of megabytes.

    >>> sample_size_for(15), sample_size_for(1000)
    (20000, 4000)
    """
    return int(np.clip(4_000_000 // max(num_columns, 1), 1_000, 20_000))
