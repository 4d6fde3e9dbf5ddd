"""What only a table's order shows, exactly and from parts merged in that order: a run of one value, a stretch of
missing ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

PENALTY = 0.25  # of a row with a value, against 1 for one without: stretches of more than a fifth missing are found


@dataclass(frozen=True, kw_only=True)
class Run:
    """How many rows a column keeps its first value for, and its last one; `first` and `last` are hashes of them."""

    num_rows: int = 0
    first: int = 0
    leading: int = 0
    last: int = 0
    trailing: int = 0
    changes: int = 0  # rows that differ from the one before

    @classmethod
    def of(cls, hashes: np.ndarray) -> Run:
        """From the values' hashes, uint64 [n]."""
        n = len(hashes)
        if not n:
            return cls()
        changed = np.flatnonzero(hashes[1:] != hashes[:-1])
        leading, trailing = (int(changed[0]) + 1, n - 1 - int(changed[-1])) if len(changed) else (n, n)
        return cls(num_rows=n, first=int(hashes[0]), leading=leading, last=int(hashes[-1]), trailing=trailing,
                   changes=len(changed))  # fmt: skip

    def merge(self, after: Run) -> Run:
        if not self.num_rows or not after.num_rows:
            return after if not self.num_rows else self
        goes_on = self.last == after.first
        leading, trailing = self.leading, after.trailing
        if goes_on and self.leading == self.num_rows:
            leading += after.leading
        if goes_on and after.trailing == after.num_rows:
            trailing += self.trailing
        return Run(num_rows=self.num_rows + after.num_rows, first=self.first, leading=leading, last=after.last,
                   trailing=trailing, changes=self.changes + after.changes + (not goes_on))  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """The rows in a row, [start, end), where missing values weigh most: the maximum segment of a sum of 1 for a
    missing value and -`PENALTY` for another (Bentley 1984), as a value that merges."""

    num_rows: int = 0
    total: float = 0.0
    best: float = 0.0
    start: int = 0
    end: int = 0
    prefix: float = 0.0  # the best that begins at the first row
    prefix_end: int = 0
    suffix: float = 0.0  # the best that ends at the last row
    suffix_start: int = 0

    @classmethod
    def of(cls, is_missing: np.ndarray) -> Stretch:
        n = len(is_missing)
        if not is_missing.any():
            return cls(num_rows=n, total=-PENALTY * n, suffix_start=n)
        sums = np.concatenate([[0.0], np.cumsum(np.where(is_missing, 1.0, -PENALTY))])
        lowest = np.minimum.accumulate(sums)
        end = int(np.argmax(sums - lowest))
        start = int(np.argmin(sums[: end + 1]))
        prefix_end, suffix_start = int(np.argmax(sums)), int(np.argmin(sums))
        return cls(
            num_rows=n, total=float(sums[-1]), best=float(sums[end] - sums[start]), start=start, end=end,
            prefix=float(sums[prefix_end]), prefix_end=prefix_end,
            suffix=float(sums[-1] - sums[suffix_start]), suffix_start=suffix_start,
        )  # fmt: skip

    def merge(self, after: Stretch) -> Stretch:
        n = self.num_rows
        across = (self.suffix + after.prefix, self.suffix_start, n + after.prefix_end)
        own, theirs = (self.best, self.start, self.end), (after.best, n + after.start, n + after.end)
        best, start, end = max((own, theirs, across), key=lambda found: found[0])
        over, back = self.total + after.prefix, after.total + self.suffix
        prefix, prefix_end = max((self.prefix, self.prefix_end), (over, n + after.prefix_end), key=lambda p: p[0])
        suffix, suffix_start = max((after.suffix, n + after.suffix_start), (back, self.suffix_start),
                                   key=lambda p: p[0])  # fmt: skip
        return Stretch(
            num_rows=n + after.num_rows, total=self.total + after.total, best=best, start=start, end=end,
            prefix=prefix, prefix_end=prefix_end, suffix=suffix, suffix_start=suffix_start,
        )  # fmt: skip


def at_most(share: float, num_rows: int) -> float:
    """What a share seen in some rows may be by chance: three standard errors more, and one that shows none of them
    once in a thousand tables.

    >>> at_most(0.0, 700), round(at_most(0.2, 100), 2)
    (0.01, 0.39)
    """
    return share + 3 * float(np.sqrt(share * (1 - share) / num_rows)) + 7 / num_rows


def chance_of_stretch(score: float, share: float, num_rows: int) -> float:
    """How likely a stretch of this score is where a share of all rows is missing by chance alone, at most.

    Karlin and Altschul (1990): at most n e^(-λ score), where λ > 0 solves share e^λ + (1 - share) e^(-λ PENALTY) = 1.

    >>> chance_of_stretch(3, 0.01, 1000) > 0.001 > chance_of_stretch(8, 0.01, 1000)
    True
    """
    from scipy.optimize import brentq

    share = max(share, 1 / max(num_rows, 2))
    if share >= PENALTY / (1 + PENALTY):
        return 1.0
    rate = brentq(lambda x: share * np.exp(x) + (1 - share) * np.exp(-PENALTY * x) - 1, 1e-9, 40)
    return float(min(1.0, num_rows * np.exp(-rate * score)))
