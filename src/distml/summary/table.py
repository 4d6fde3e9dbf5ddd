"""Summaries of a table's columns, and a bounded sample of its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

import numpy as np

from distml.config.base import Kind
from distml.hashing import mix
from distml.images import brightness, is_tensor
from distml.summary.column import ColumnSummary
from distml.summary.numbers import as_numbers
from distml.summary.sketch import first_distinct


class TableSummary:
    """Summaries of a table's columns, and a bounded sample of its rows: those with the smallest hashes.

    columns: name -> `ColumnSummary`. sample: pyarrow table of at most `sample_size` rows, one per row hash, with
    `sample_hashes` uint64 beside it in ascending order; a quantile of the sample errs by about
    sqrt(q (1 - q) / sample_size) in rank.
    """

    def __init__(self, kinds: dict[str, Kind], *, sample_size: int = 0, edges: dict[str, np.ndarray] | None = None):
        self.columns = {
            name: ColumnSummary(kind, edges=(edges or {}).get(name)).fresh() for name, kind in kinds.items()
        }
        self.sample_size = sample_size
        self.sample: Any = None
        self.sample_hashes = np.empty(0, np.uint64)

    @property
    def count(self) -> int:
        """Rows seen."""
        return max((column.count for column in self.columns.values()), default=0)

    def fresh(self, *, sample_size: int | None = None) -> TableSummary:
        """An empty summary of the same columns and bins, its sample of the same size unless another is given."""
        empty = TableSummary({}, sample_size=self.sample_size if sample_size is None else sample_size)
        empty.columns = {name: column.fresh() for name, column in self.columns.items()}
        return empty

    def update(
        self, table: Any, rows: np.ndarray | None = None, hashes: Mapping[str, np.ndarray] | None = None
    ) -> None:
        """Adds a pyarrow table that has the summary's columns.

        `rows` are its row hashes, needed for the sample; `hashes` those of its columns' values, where they are known.
        """
        for name, column in self.columns.items():
            column.update(table.column(name), None if hashes is None else hashes[name])
        if self.sample_size and table.num_rows:
            assert rows is not None, "a sample needs row hashes"
            # Mixed once more, so that the sample is independent of the split, which is cut from the same hashes.
            order, kept = first_distinct(mix(rows), self.sample_size)
            self._add_samples([(_decoded(table.select(list(self.columns)).take(order)), kept)])

    def merge(self, *others: TableSummary) -> TableSummary:
        """The summary of all tables' rows together; none is changed."""
        parts = (self, *others)
        assert all(list(self.columns) == list(other.columns) for other in others), "summaries of different tables"
        merged = TableSummary({}, sample_size=max(part.sample_size for part in parts))
        merged.columns = {
            name: reduce(ColumnSummary.merge, [part.columns[name] for part in parts]) for name in self.columns
        }
        merged._add_samples([(part.sample, part.sample_hashes) for part in parts if part.sample is not None])
        return merged

    def without(self, copies: TableSummary) -> TableSummary:
        """The summary without rows that stand in it twice; the sample has each row once as it is."""
        rest = TableSummary({}, sample_size=self.sample_size)
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


def _decoded(table: Any) -> Any:
    """A table with plain texts, as a few rows shouldn't carry the dictionary of many, and images' brightness."""
    import pyarrow as pa

    for i, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type):
            table = table.set_column(i, field.name, table.column(i).cast(field.type.value_type))
        elif is_tensor(field.type):
            table = table.set_column(i, field.name, brightness(table.column(i)))
    return table
