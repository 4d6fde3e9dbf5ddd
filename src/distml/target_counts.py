"""How a target goes with a column's categories, fold by fold: what target encoding is fitted from.

A summary like any other: `update` with blocks, `merge` parts, and the same whatever the partitioning. It knows nothing
of how an encoding is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from distml.arrays import whole, words_and_codes
from distml.hashing import mix

MAX_CATEGORIES = 100_000
_KEYS = ("category", "fold", "label")


def folds_of(rows: np.ndarray, num_folds: int, seed: int) -> np.ndarray:
    """The fold of each row by its hash, uint64 [n], and the seed: int64 [n] in [0, num_folds).

    Folds of an encoding alone: those that `split.folds` deals rows to are a `SplitPlan`'s.

    >>> folds_of(np.arange(6, dtype=np.uint64), 3, seed=0).tolist()
    [0, 1, 1, 2, 2, 2]
    """
    salt = mix(np.array([seed], np.uint64))
    return (mix(rows ^ salt) % np.uint64(num_folds)).astype(np.int64)


@dataclass
class TargetCounts:
    """Rows, and the sum of a target that is a number, per category (null for missing values), fold and label.

    cells: a pyarrow table with a row for each combination that was seen, None once there were more than
    `MAX_CATEGORIES` categories. A target of numbers has the label null.
    """

    num_folds: int
    cells: Any = field(default_factory=lambda: _empty())

    def update(self, categories: Any, target: Any, folds: np.ndarray) -> None:
        """Adds rows: a pyarrow array of texts, one of the target's texts or numbers, none null, and folds int [n]."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if self.cells is None or len(categories) == 0:
            return
        words, codes = words_and_codes(whole(categories))
        is_number = pa.types.is_floating(target.type) or pa.types.is_integer(target.type)
        labels, marks = pa.array([], pa.string()), np.zeros(len(folds), np.int64)
        if not is_number:
            labels, marks = words_and_codes(whole(target))
        keys = (codes * self.num_folds + folds) * (len(labels) + 1) + marks
        cells, counts, totals = _by_key(keys, pc.cast(target, pa.float64()).to_numpy() if is_number else None)
        rest, marks = np.divmod(cells, len(labels) + 1)
        codes, folds = np.divmod(rest, self.num_folds)
        found = {"category": _taken(words, codes), "fold": folds, "label": _taken(labels, marks)}
        self.cells = _added(self.cells, pa.table({**found, "count": counts, "total": totals}))

    def merge(self, other: TargetCounts) -> TargetCounts:
        """The counts of both tables' rows together; neither is changed."""
        assert self.num_folds == other.num_folds, "counts of different folds"
        known = self.cells is not None and other.cells is not None
        return TargetCounts(self.num_folds, _added(self.cells, other.cells) if known else None)

    def without(self, copies: TargetCounts) -> TargetCounts:
        """The counts without rows that stand in them twice."""
        if self.cells is None or copies.cells is None:
            return TargetCounts(self.num_folds, None)
        import pyarrow.compute as pc

        fewer = copies.cells
        for name in ("count", "total"):
            fewer = fewer.set_column(fewer.column_names.index(name), name, pc.negate(fewer.column(name)))
        rest = _added(self.cells, fewer)
        return TargetCounts(self.num_folds, rest.filter(pc.greater(rest.column("count"), 0)))

    def fresh(self) -> TargetCounts:
        """Empty counts of the same folds."""
        return TargetCounts(self.num_folds)

    def by_category(self, vocabulary: Sequence[str], labels: Sequence[str] | None) -> tuple[np.ndarray, np.ndarray]:
        """Counts int64 [v + 2, k] and totals float64 [v + 2, k, outputs] of missing values, of what is not in the
        vocabulary, and of each of its categories, by fold. Totals are sums of the target, or rows of each label."""
        import pyarrow as pa
        import pyarrow.compute as pc

        assert self.cells is not None, "too many categories"
        category = self.cells.column("category").combine_chunks()
        known = pc.index_in(category, value_set=pa.array(vocabulary, pa.string()), skip_nulls=True)
        codes = pc.add(known, 2).fill_null(1).to_numpy(zero_copy_only=False).astype(np.int64)
        codes[category.is_null().to_numpy(zero_copy_only=False)] = 0
        folds, counts = self.cells.column("fold").to_numpy(), self.cells.column("count").to_numpy()
        shape = (len(vocabulary) + 2, self.num_folds)
        num_rows = np.zeros(shape, np.int64)
        np.add.at(num_rows, (codes, folds), counts)
        if labels is None:
            totals = np.zeros((*shape, 1))
            np.add.at(totals, (codes, folds, 0), self.cells.column("total").to_numpy())
            return num_rows, totals
        label = pc.index_in(self.cells.column("label").combine_chunks(), value_set=pa.array(labels, pa.string()))
        chosen = label.is_valid().to_numpy(zero_copy_only=False)
        outputs = label.fill_null(0).to_numpy()
        totals = np.zeros((*shape, len(labels)))
        np.add.at(totals, (codes[chosen], folds[chosen], outputs[chosen]), counts[chosen].astype(float))
        return num_rows, totals


def _empty() -> Any:
    import pyarrow as pa

    kinds = {"category": pa.string(), "fold": pa.int64(), "label": pa.string()}
    return pa.schema([*kinds.items(), ("count", pa.int64()), ("total", pa.float64())]).empty_table()


def _taken(words: Any, places: np.ndarray) -> Any:
    import pyarrow as pa

    return words.take(pa.array(places, mask=places == len(words)))


def _by_key(keys: np.ndarray, values: np.ndarray | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distinct keys, int64 [m], how many rows have each, and the sums of their values (0 without), added in order."""
    found, places = keys, keys
    if keys.max() > 4 * len(keys) + 100_000:
        found, places = np.unique(keys, return_inverse=True)
    counts = np.bincount(places)
    totals = np.zeros(len(counts)) if values is None else np.bincount(places, weights=values)
    if found is not keys:
        return found, counts, totals
    used = np.flatnonzero(counts)
    return used, counts[used], totals[used]


def _added(cells: Any, more: Any) -> Any:
    """The cells of both, each combination once, in order; None past `MAX_CATEGORIES`."""
    import pyarrow as pa
    import pyarrow.compute as pc

    both = pa.concat_tables([cells, more])
    # On one thread, because the order in which numbers are added is to be the rows'.
    grouped = both.group_by(list(_KEYS), use_threads=False).aggregate([("count", "sum"), ("total", "sum")])
    if pc.count_distinct(grouped.column("category")).as_py() > MAX_CATEGORIES:
        return None
    added = grouped.rename_columns([name.removesuffix("_sum") for name in grouped.column_names])
    return added.select(cells.column_names).sort_by([(name, "ascending") for name in _KEYS])
