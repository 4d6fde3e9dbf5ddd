"""`Histogram`: whole numbers counted between given bounds, cheaply enough for a request's path, and mergeable."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class Histogram:
    """edges: upper bounds, ascending, each within its bucket; counts: per bucket, and one above the last edge; total:
    the sum of what was added. All whole numbers, so that merging is exact in whatever order.

    >>> sizes = Histogram((1, 2, 4))
    >>> for size in (1, 3, 4, 9):
    ...     sizes.add(size)
    >>> sizes.counts, sizes.total, sizes.num_added
    ([1, 0, 2, 1], 17, 4)
    """

    edges: Sequence[int]
    counts: list[int] = field(default_factory=list)
    total: int = 0

    def __post_init__(self) -> None:
        self.counts = self.counts or [0] * (len(self.edges) + 1)

    @property
    def num_added(self) -> int:
        return sum(self.counts)

    def add(self, value: int) -> None:
        self.counts[bisect_left(self.edges, value)] += 1
        self.total += value

    def include(self, other: Histogram) -> None:
        """Adds all that another of the same edges has."""
        assert self.edges == other.edges, "histograms of different edges"
        self.counts = [a + b for a, b in zip(self.counts, other.counts, strict=True)]
        self.total += other.total

    def quantile(self, q: float) -> int | None:
        """The upper end of the bucket that a quantile (q above 0) lies in, at most the last edge; None without values.

        >>> Histogram((1, 2, 4), [3, 0, 0, 1]).quantile(0.5)
        1
        """
        reached, wanted = 0, q * self.num_added
        if not wanted:
            return None
        for edge, count in zip(self.edges, self.counts, strict=False):
            reached += count
            if reached >= wanted:
                return edge
        return self.edges[-1]
