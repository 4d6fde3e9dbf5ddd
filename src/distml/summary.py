"""One mergeable summary of a table, the same whatever the partitioning.

A `TableSummary` is filled by `update` with the table's blocks and combined by `merge`. Feature fitting reads the
training split's summary, the package keeps one as the drift baseline, replicas fill one live; drift compares two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from distml.config.base import Kind
from distml.hashing import hash_column, mix

MAX_CATEGORIES = 100_000
DISTINCT_SKETCH = 1024


@dataclass
class ColumnSummary:
    """What is known of one column.

    count: rows seen, nulls among them; mean and m2 (sum of squared deviations) of the rest; categories: value to
    count, None once there were more than `MAX_CATEGORIES`; smallest: the least distinct value hashes, uint64
    [<= 1024]; edges: float64 [b + 1] of a histogram and bins: int64 [b + 2], below, within each [edge, next), above
    (a value equal to the last edge is within the last bin).
    """

    kind: Kind
    count: int = 0
    nulls: int = 0
    mean: float = 0.0
    m2: float = 0.0
    min: float | None = None
    max: float | None = None
    categories: dict[str, int] | None = field(default_factory=dict)
    smallest: np.ndarray = field(default_factory=lambda: np.empty(0, np.uint64))
    edges: np.ndarray | None = None
    bins: np.ndarray | None = None

    @property
    def present(self) -> int:
        """Rows with a value."""
        return self.count - self.nulls

    @property
    def variance(self) -> float:
        """Population variance; 0 without values and exactly 0 for one value, whatever its mean was rounded to."""
        return 0.0 if self.min == self.max else self.m2 / self.present

    @property
    def is_number(self) -> bool:
        return self.kind in ("numeric", "datetime")

    @property
    def distinct(self) -> int:
        """Distinct values: exact below `DISTINCT_SKETCH`, else the k-minimum-values estimate (k - 1) / u_k of
        Bar-Yossef et al. (2002), whose relative standard error is about 1 / sqrt(k - 2), 3 %."""
        if not self.is_number and self.categories is not None:
            return len(self.categories)
        if len(self.smallest) < DISTINCT_SKETCH:
            return len(self.smallest)
        return round((DISTINCT_SKETCH - 1) / (float(self.smallest[-1]) / 2.0**64))

    def update(self, column: Any) -> None:
        """Adds a pyarrow array's values."""
        hashes = hash_column(column)
        column = column.combine_chunks() if hasattr(column, "combine_chunks") else column
        valid = column.is_valid().to_numpy(zero_copy_only=False)
        self.count += len(column)
        self.nulls += int(len(column) - valid.sum())
        self.smallest = _least_distinct(np.concatenate([self.smallest, hashes[valid]]))
        present = column.drop_null()
        if self.is_number:
            self._update_numbers(as_numbers(present))
        else:
            self._update_categories(present)

    def _update_numbers(self, values: np.ndarray) -> None:
        if not len(values):
            return
        mean = float(values.mean())
        m2 = float(np.square(values - mean).sum())
        self.mean, self.m2 = _pooled(self.present - len(values), self.mean, self.m2, len(values), mean, m2)
        self.min = _extreme(min, self.min, float(values.min()))
        self.max = _extreme(max, self.max, float(values.max()))
        if self.edges is not None:
            counts = histogram(values, self.edges)
            self.bins = counts if self.bins is None else self.bins + counts

    def _update_categories(self, present: Any) -> None:
        if self.categories is None:
            return
        counts = present.value_counts()
        pairs = zip(counts.field("values").to_pylist(), counts.field("counts").to_numpy().tolist(), strict=True)
        self.categories = _added(self.categories, dict(pairs))

    def merge(self, other: ColumnSummary) -> ColumnSummary:
        """The summary of both columns' values together."""
        assert self.kind == other.kind, (self.kind, other.kind)
        mean, m2 = _pooled(self.present, self.mean, self.m2, other.present, other.mean, other.m2)
        bins = [b for b in (self.bins, other.bins) if b is not None]
        return ColumnSummary(
            kind=self.kind,
            count=self.count + other.count,
            nulls=self.nulls + other.nulls,
            mean=mean,
            m2=m2,
            min=_extreme(min, self.min, other.min),
            max=_extreme(max, self.max, other.max),
            categories=None
            if self.categories is None or other.categories is None
            else _added(self.categories, other.categories),
            smallest=_least_distinct(np.concatenate([self.smallest, other.smallest])),
            edges=self.edges if self.edges is not None else other.edges,
            bins=sum(bins[1:], bins[0]) if bins else None,
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, without the distinct sketch, which fitting alone needs."""
        known: dict[str, Any] = {"kind": self.kind, "count": self.count, "nulls": self.nulls}
        if self.is_number:
            known |= {"mean": self.mean, "m2": self.m2, "min": self.min, "max": self.max}
            if self.edges is not None and self.bins is not None:
                known |= {"edges": self.edges.tolist(), "bins": self.bins.tolist()}
        else:
            known["categories"] = self.categories
        return known

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> ColumnSummary:
        """The inverse of `to_dict`; the distinct sketch starts empty."""
        rest = {key: item for key, item in value.items() if key not in ("edges", "bins")}
        if "edges" in value:
            rest |= {"edges": np.asarray(value["edges"], float), "bins": np.asarray(value["bins"], np.int64)}
        return cls(**rest)


class TableSummary:
    """Summaries of a table's columns, and a bounded sample of its rows: those with the smallest hashes.

    columns: name -> `ColumnSummary`. sample: pyarrow table of at most `sample_size` rows, one per row hash, with
    `sample_hashes` uint64 beside it in ascending order; a quantile of the sample errs by about
    sqrt(q (1 - q) / sample_size) in rank.
    """

    def __init__(self, kinds: dict[str, Kind], *, sample_size: int = 0, edges: dict[str, np.ndarray] | None = None):
        self.columns = {
            name: ColumnSummary(kind, edges=(edges or {}).get(name), bins=_empty_bins((edges or {}).get(name)))
            for name, kind in kinds.items()
        }
        self.sample_size = sample_size
        self.sample: Any = None
        self.sample_hashes = np.empty(0, np.uint64)

    @property
    def count(self) -> int:
        """Rows seen."""
        return max((column.count for column in self.columns.values()), default=0)

    def fresh(self) -> TableSummary:
        """An empty summary of the same columns, bins and sample size."""
        edges = {name: column.edges for name, column in self.columns.items() if column.edges is not None}
        kinds = {name: column.kind for name, column in self.columns.items()}
        return TableSummary(kinds, sample_size=self.sample_size, edges=edges)

    def update(self, table: Any, rows: np.ndarray | None = None) -> None:
        """Adds a pyarrow table that has the summary's columns; `rows` are its row hashes, needed for the sample."""
        for name, column in self.columns.items():
            column.update(table.column(name))
        if self.sample_size and table.num_rows:
            assert rows is not None, "a sample needs row hashes"
            # Mixed once more, so that the sample is independent of the split, which is cut from the same hashes.
            order, kept = _first_distinct(mix(rows), self.sample_size)
            self._add_sample(table.select(list(self.columns)).take(order), kept)

    def merge(self, other: TableSummary) -> TableSummary:
        """The summary of both tables' rows together; neither is changed."""
        assert list(self.columns) == list(other.columns), "summaries of different tables"
        merged = TableSummary({}, sample_size=max(self.sample_size, other.sample_size))
        merged.columns = {name: column.merge(other.columns[name]) for name, column in self.columns.items()}
        for part in (self, other):
            if part.sample is not None:
                merged._add_sample(part.sample, part.sample_hashes)
        return merged

    def _add_sample(self, table: Any, hashes: np.ndarray) -> None:
        import pyarrow as pa

        if self.sample is not None:
            table = pa.concat_tables([self.sample, table])
            hashes = np.concatenate([self.sample_hashes, hashes])
        order, self.sample_hashes = _first_distinct(hashes, self.sample_size)
        self.sample = table.take(order).combine_chunks()

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


def as_numbers(values: Any) -> np.ndarray:
    """A pyarrow array of numbers or timestamps as float64 [n]; null becomes NaN, a timestamp seconds since 1970."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_timestamp(values.type):
        values = pc.divide(pc.cast(pc.cast(values, pa.timestamp("us")), pa.int64()).cast(pa.float64()), 1e6)
    return values.cast(pa.float64()).to_numpy(zero_copy_only=False)


def histogram(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Counts below, within and above the bins of given edges, int64 [len(edges) + 1].

    >>> histogram(np.array([-1.0, 0.0, 0.5, 1.0, 2.0]), np.array([0.0, 0.5, 1.0])).tolist()
    [1, 1, 2, 1]
    """
    place = np.searchsorted(edges, values, side="right")
    place[values == edges[-1]] = len(edges) - 1
    return np.bincount(place, minlength=len(edges) + 1).astype(np.int64)


def decile_edges(quantiles: np.ndarray) -> np.ndarray | None:
    """Distinct, finite histogram edges from quantiles; None without any.

    A single value gets a bin of its own width, so that others are seen beside it.
    """
    edges = np.unique(quantiles[np.isfinite(quantiles)])
    if len(edges) == 1:
        return np.array([edges[0], np.nextafter(edges[0], np.inf)])
    return edges if len(edges) else None


def _empty_bins(edges: np.ndarray | None) -> np.ndarray | None:
    return None if edges is None else np.zeros(len(edges) + 1, np.int64)


def _pooled(n_a: int, mean_a: float, m2_a: float, n_b: int, mean_b: float, m2_b: float) -> tuple[float, float]:
    """Mean and sum of squared deviations of two groups together: Chan, Golub and LeVeque (1979)."""
    n = n_a + n_b
    if not n_a or not n_b:
        return (mean_b, m2_b) if n_b else (mean_a, m2_a)
    delta = mean_b - mean_a
    return mean_a + delta * n_b / n, m2_a + m2_b + delta * delta * n_a * n_b / n


def _extreme(choose: Any, a: float | None, b: float | None) -> float | None:
    known = [value for value in (a, b) if value is not None]
    return choose(known) if known else None


def _added(a: dict[str, int], b: dict[str, int]) -> dict[str, int] | None:
    """Counts added; None past `MAX_CATEGORIES`, a state that no order of merging can miss or undo."""
    total = dict(a)
    for value, count in b.items():
        total[value] = total.get(value, 0) + count
    return total if len(total) <= MAX_CATEGORIES else None


def _least_distinct(hashes: np.ndarray) -> np.ndarray:
    if len(hashes) > 4 * DISTINCT_SKETCH:
        # Enough of the least to hold the sketch, unless they repeat; then the whole is sorted.
        least = np.unique(np.partition(hashes, 4 * DISTINCT_SKETCH)[: 4 * DISTINCT_SKETCH])
        if len(least) >= DISTINCT_SKETCH:
            return least[:DISTINCT_SKETCH]
    return np.unique(hashes)[:DISTINCT_SKETCH]


def _first_distinct(hashes: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the first row of each of the `size` smallest distinct hashes, and those hashes."""
    distinct, first = np.unique(hashes, return_index=True)
    return first[:size], distinct[:size]
