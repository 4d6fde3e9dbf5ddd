"""What is known of one column of a table."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from distml.config.base import Kind
from distml.hashing import hash_column
from distml.images import brightness, channel_sums, is_tensor, pixels_of
from distml.summary.numbers import as_numbers, histogram, lengths
from distml.summary.sketch import estimate_distinct, least_distinct
from distml.target_counts import MAX_CATEGORIES


@dataclass
class ColumnSummary:
    """What is known of one column.

    count: rows seen, nulls among them; mean and m2 (sum of squared deviations) of the rest; categories: value to
    count, None once there were more than `MAX_CATEGORIES`; smallest: the least distinct value hashes, uint64
    [<= 1024], None where nobody asks for distinct values; edges: float64 [b + 1] of a histogram and bins: int64
    [b + 2], below, within each [edge, next), above (a value equal to the last edge is within the last bin); pixels:
    of images by channel how many, their sum and the sum of their squares, int64 [3, ch]. The number of an image is
    its mean brightness, 0 to 255; that of a text its length.
    """

    kind: Kind
    count: int = 0
    nulls: int = 0
    mean: float = 0.0
    m2: float = 0.0
    min: float | None = None
    max: float | None = None
    categories: dict[str, int] | None = field(default_factory=dict)
    smallest: np.ndarray | None = field(default_factory=lambda: np.empty(0, np.uint64))
    edges: np.ndarray | None = None
    bins: np.ndarray | None = None
    pixels: np.ndarray | None = None

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
        return self.kind in ("numeric", "datetime", "image", "text")

    @property
    def distinct(self) -> int:
        """Distinct values: exact for categories that are kept and below 1,024, else an estimate within some 3 %."""
        if not self.is_number and self.categories is not None:
            return len(self.categories)
        assert self.smallest is not None, "a summary that doesn't keep distinct values"
        return estimate_distinct(self.smallest)

    def update(self, column: Any, hashes: np.ndarray | None = None) -> None:
        """Adds a pyarrow array's values, texts plain or coded; `hashes` are those of numbers, where they are known."""
        column = column.combine_chunks() if hasattr(column, "combine_chunks") else column
        if self.kind == "image" and is_tensor(column.type):
            hashes = hash_column(column) if hashes is None and self.smallest is not None else hashes
            column = self._update_pixels(column)
        elif self.kind == "text":
            hashes = hash_column(column) if hashes is None and self.smallest is not None else hashes
            column = lengths(column)
        self.count += len(column)
        self.nulls += column.null_count
        if not self.is_number:
            self._update_categories(column)
            return
        self._update_numbers(as_numbers(column.drop_null() if column.null_count else column))
        if self.smallest is not None and len(column):
            hashes = hash_column(column) if hashes is None else hashes
            present = hashes[column.is_valid().to_numpy(zero_copy_only=False)] if column.null_count else hashes
            self.smallest = least_distinct(self.smallest, present)

    def _update_pixels(self, column: Any) -> Any:
        """Adds images' pixels; returns each one's brightness."""
        sums = channel_sums(pixels_of(column.drop_null() if column.null_count else column))
        self.pixels = sums if self.pixels is None else self.pixels + sums
        return brightness(column)

    def _update_numbers(self, values: np.ndarray) -> None:
        if not len(values):
            return
        with np.errstate(over="ignore"):  # squares beyond float64 are infinite, as is then the variance
            mean = float(values.mean())
            deviations = values - mean
            # Not by a dot product: its rounding depends on how many cores take part.
            m2 = float(np.square(deviations, out=deviations).sum())
        self.mean, self.m2 = _pooled(self.present - len(values), self.mean, self.m2, len(values), mean, m2)
        self.min = _extreme(min, self.min, float(values.min()))
        self.max = _extreme(max, self.max, float(values.max()))
        if self.edges is not None:
            self.count_bins(values)

    def count_bins(self, values: np.ndarray) -> None:
        """Adds numbers, float64 [n], to the bins alone."""
        assert self.edges is not None
        counts = histogram(values, self.edges)
        self.bins = counts if self.bins is None else self.bins + counts

    def _update_categories(self, column: Any) -> None:
        words, counts = _counted(column)
        if self.categories is not None:
            self.categories = _added(self.categories, dict(zip(words.to_pylist(), counts.tolist(), strict=True)))
        if self.smallest is not None:
            self.smallest = least_distinct(self.smallest, hash_column(words))

    def merge(self, other: ColumnSummary) -> ColumnSummary:
        """The summary of both columns' values together."""
        assert self.kind == other.kind, (self.kind, other.kind)
        mean, m2 = _pooled(self.present, self.mean, self.m2, other.present, other.mean, other.m2)
        bins = [b for b in (self.bins, other.bins) if b is not None]
        pixels = [p for p in (self.pixels, other.pixels) if p is not None]
        categories = smallest = None
        if self.categories is not None and other.categories is not None:
            categories = _added(self.categories, other.categories)
        if self.smallest is not None and other.smallest is not None:
            smallest = least_distinct(self.smallest, other.smallest)
        return ColumnSummary(
            kind=self.kind,
            count=self.count + other.count,
            nulls=self.nulls + other.nulls,
            mean=mean,
            m2=m2,
            min=_extreme(min, self.min, other.min),
            max=_extreme(max, self.max, other.max),
            categories=categories,
            smallest=smallest,
            edges=self.edges if self.edges is not None else other.edges,
            bins=sum(bins[1:], bins[0]) if bins else None,
            pixels=sum(pixels[1:], pixels[0]) if pixels else None,
        )

    def without(self, copies: ColumnSummary) -> ColumnSummary:
        """The summary without values that stand in it twice: extremes and distinct values are what they were."""
        present = self.present - copies.present
        mean, m2 = _parted(present, self.mean, self.m2, copies.present, copies.mean, copies.m2)
        categories = self.categories
        if categories is not None and copies.categories is not None:
            categories = {name: count - copies.categories.get(name, 0) for name, count in categories.items()}
        return ColumnSummary(
            kind=self.kind, count=self.count - copies.count, nulls=self.nulls - copies.nulls, mean=mean, m2=m2,
            min=self.min, max=self.max, categories=categories, smallest=self.smallest, edges=self.edges,
            bins=self.bins if copies.bins is None or self.bins is None else self.bins - copies.bins,
            pixels=self.pixels if copies.pixels is None or self.pixels is None else self.pixels - copies.pixels,
        )  # fmt: skip

    def fresh(self) -> ColumnSummary:
        """An empty summary of the same kind and bins, that keeps distinct values if this does."""
        smallest = None if self.smallest is None else np.empty(0, np.uint64)
        bins = None if self.edges is None else np.zeros(len(self.edges) + 1, np.int64)
        return ColumnSummary(self.kind, smallest=smallest, edges=self.edges, bins=bins)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, without the distinct sketch, which fitting alone needs."""
        known: dict[str, Any] = {"kind": self.kind, "count": self.count, "nulls": self.nulls}
        if self.is_number:
            known |= {"mean": self.mean, "m2": self.m2, "min": self.min, "max": self.max}
            if self.edges is not None and self.bins is not None:
                known |= {"edges": self.edges.tolist(), "bins": self.bins.tolist()}
            if self.pixels is not None:
                known["pixels"] = self.pixels.tolist()
        else:
            known["categories"] = self.categories
        return known

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> ColumnSummary:
        """The inverse of `to_dict`: a summary that doesn't keep distinct values."""
        rest = {key: item for key, item in value.items() if key not in ("edges", "bins", "pixels")}
        if "edges" in value:
            rest |= {"edges": np.asarray(value["edges"], float), "bins": np.asarray(value["bins"], np.int64)}
        if "pixels" in value:
            rest["pixels"] = np.asarray(value["pixels"], np.int64)
        return cls(**rest, smallest=None)


def _counted(column: Any) -> tuple[Any, np.ndarray]:
    """The distinct texts of a pyarrow array [k] and how often each is there, int64 [k]; nulls are not counted."""
    import pyarrow as pa

    if not pa.types.is_dictionary(column.type):
        counted = column.drop_null().value_counts()
        return counted.field("values"), counted.field("counts").to_numpy()
    counts = np.bincount(column.indices.drop_null().to_numpy(), minlength=len(column.dictionary))
    used = np.flatnonzero(counts)
    return column.dictionary.take(pa.array(used)), counts[used]


def _pooled(n_a: int, mean_a: float, m2_a: float, n_b: int, mean_b: float, m2_b: float) -> tuple[float, float]:
    """Mean and sum of squared deviations of two groups together: Chan, Golub and LeVeque (1979)."""
    n = n_a + n_b
    if not n_a or not n_b:
        return (mean_b, m2_b) if n_b else (mean_a, m2_a)
    delta = mean_b - mean_a
    return mean_a + delta * n_b / n, m2_a + m2_b + delta * delta * n_a * n_b / n


def _parted(n_a: int, mean: float, m2: float, n_b: int, mean_b: float, m2_b: float) -> tuple[float, float]:
    """Mean and sum of squared deviations of the first of two groups, from those of both and of the second."""
    if not n_a or not n_b:
        return (mean, m2) if n_a else (0.0, 0.0)
    mean_a = mean + (mean - mean_b) * n_b / n_a
    delta = mean_b - mean_a
    m2_a = max(m2 - m2_b - delta * delta * n_a * n_b / (n_a + n_b), 0.0)
    return mean_a, m2 if math.isinf(m2) else m2_a  # what is beyond float64 can't be taken apart again


def _extreme(choose: Any, a: float | None, b: float | None) -> float | None:
    known = [value for value in (a, b) if value is not None]
    return choose(known) if known else None


def _added(a: dict[str, int], b: dict[str, int]) -> dict[str, int] | None:
    """Counts added; None past `MAX_CATEGORIES`, a state that no order of merging can miss or undo."""
    total = dict(a)
    for value, count in b.items():
        total[value] = total.get(value, 0) + count
    return total if len(total) <= MAX_CATEGORIES else None
