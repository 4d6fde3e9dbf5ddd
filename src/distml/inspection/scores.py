"""What each column says of the target alone, measured on rows that the scoring was not fitted on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from distml.config.base import Task
from distml.metrics import METRICS

_MAX_ROWS = 20_000
_MAX_CELLS = 4_000_000
_NUM_BINS = 64
_PRIOR_ROWS = 10.0  # how many rows of the overall mean a bin or category is mixed with
_MAX_CLASSES = 12

_ALMOST_PERFECT: Mapping[Task, float] = {"binary": 0.998, "multiclass": 0.998, "regression": 0.995}
_HIGH, _FAR = 0.5, 1.6  # a skill that stands out is at least this, and this many times the next one
_NUM_OTHERS = 3  # that it stands out among


@dataclass(frozen=True, kw_only=True)
class Lone:
    """What one column says of the target alone. `skill` is 0 for nothing and 1 for all: 2 AUC - 1, or R² of ranks."""

    column: str
    skill: float
    task: Task

    @property
    def told(self) -> str:
        """The score in a metric's own unit.

        >>> Lone(column="a", skill=0.5, task="binary").told
        'AUC 0.750'
        """
        if self.task == "regression":
            return f"R² {self.skill:.3f} of the target's ranks"
        return f"AUC {(self.skill + 1) / 2:.3f}"


def score_columns(columns: Mapping[str, np.ndarray], target: np.ndarray, task: Task) -> list[Lone]:
    """Each column's own score, best first.

    columns: numbers, float64 [n] with NaN for missing, or codes, int64 [n] with -1. target: codes int64 [n], or
    numbers float64 [n].
    """
    rows = drawn(len(target), min(_MAX_ROWS, max(2_000, _MAX_CELLS // max(1, len(columns)))))
    wanted = _class_or_rank(target[rows], task)
    scores = [
        Lone(column=name, skill=_skill(values[rows], wanted, task), task=task) for name, values in columns.items()
    ]
    return sorted(scores, key=lambda lone: -lone.skill)


def drawn(n: int, most: int) -> np.ndarray:
    """At most `most` of n rows at random, the same ones each time, in a random order, int64."""
    return np.random.default_rng(0).permutation(n)[:most]


def _class_or_rank(target: np.ndarray, task: Task) -> np.ndarray:
    """Codes of the most frequent classes, the others as one; or ranks, which no outlier dominates."""
    if task == "regression":
        from scipy.stats import rankdata

        return rankdata(target) / len(target)
    frequent = np.argsort(-np.bincount(target), kind="stable")[:_MAX_CLASSES]
    codes = np.full(target.max() + 1, len(frequent))
    codes[frequent] = np.arange(len(frequent))
    return codes[target]


def _skill(values: np.ndarray, target: np.ndarray, task: Task) -> float:
    """Mean skill over two halves, each predicted from the other; or that of the values' order, which needs no fit."""
    half = np.arange(len(target)) % 2 == 0
    held_out = float(np.mean([_held_out(values, target, task, fit) for fit in (half, ~half)]))
    return held_out if values.dtype.kind in "iu" else max(held_out, _of_order(values, target, task))


def _of_order(values: np.ndarray, target: np.ndarray, task: Task) -> float:
    """Skill of the values as they are, rising or falling, in the share of rows that have one."""
    from scipy.stats import rankdata

    present = np.isfinite(values)
    x, y = rankdata(values[present]), target[present]
    if task == "multiclass" or len(x) < 2 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return 0.0
    if task == "regression":
        return float(present.mean() * np.corrcoef(x, y)[0, 1] ** 2)
    positives = int((y == 1).sum())
    auc = (x[y == 1].mean() - (positives + 1) / 2) / (len(y) - positives)  # from the rank sum, as Mann and Whitney
    return float(present.mean() * abs(2 * auc - 1))


def _held_out(values: np.ndarray, target: np.ndarray, task: Task, fit: np.ndarray) -> float:
    """Skill on the rows not fitted on, of which each is predicted by its bin's mean."""
    bins = _bins(values, target, task, fit)
    held_out = bins[~fit]
    if task == "regression":
        return max(0.0, METRICS["r2"](target[~fit], _bin_means(bins, target, fit)[held_out]))
    rows = np.bincount(held_out, minlength=int(bins.max()) + 1)
    aucs = []
    for k in range(int(target.max()) + 1):
        means = _bin_means(bins, (target == k).astype(float), fit)
        positives = np.bincount(bins[~fit & (target == k)], minlength=len(rows))
        if 0 < positives.sum() < rows.sum():
            aucs.append(binned_auc(means, positives, rows - positives))
    return max(0.0, 2 * float(np.mean(aucs)) - 1) if aucs else 0.0


def binned_auc(scores: np.ndarray, positives: np.ndarray, negatives: np.ndarray) -> float:
    """The area under the ROC curve where all rows of a bin have one score; each array [bins].

    >>> binned_auc(np.array([0.1, 0.9, 0.9]), np.array([0, 3, 1]), np.array([2, 1, 1]))
    0.75
    """
    _, groups = np.unique(scores, return_inverse=True)
    above, below = np.bincount(groups, positives), np.bincount(groups, negatives)
    ranked = above * (np.cumsum(below) - below / 2)  # a tie counts half
    return float(ranked.sum() / (above.sum() * below.sum()))


def _bins(values: np.ndarray, target: np.ndarray, task: Task, fit: np.ndarray) -> np.ndarray:
    """A bin for each value, int64 [n]: a category, or an interval between quantiles; missing is one of its own."""
    if values.dtype.kind in "iu":
        return values + 1
    known = fit & np.isfinite(values)
    if not known.any():
        return np.isfinite(values).astype(np.int64)
    distinct = np.unique(values[known])
    if len(distinct) <= _NUM_BINS:
        edges = (distinct[:-1] + distinct[1:]) / 2
    else:
        inner = np.linspace(0, 1, _NUM_BINS + 1)[1:-1]
        edges = np.quantile(values[known], inner)
        if task != "regression":  # a rare class's own quantiles, or its rows share one bin with all around
            rarest = np.bincount(target[known], minlength=1)
            rare = known & (target == int(np.flatnonzero(rarest)[rarest[rarest > 0].argmin()]))
            edges = np.concatenate([edges, np.quantile(values[rare], np.linspace(0, 1, 9))])
        edges = np.unique(edges)
    return np.where(np.isfinite(values), np.searchsorted(edges, values, side="right") + 1, 0)


def _bin_means(bins: np.ndarray, target: np.ndarray, fit: np.ndarray) -> np.ndarray:
    """The mean target of each bin's fitting rows, float64 [bins], drawn to the overall mean where they are few."""
    num_bins = int(bins.max()) + 1
    counts = np.bincount(bins[fit], minlength=num_bins)
    sums = np.bincount(bins[fit], weights=target[fit], minlength=num_bins)
    return (sums + _PRIOR_ROWS * target[fit].mean()) / (counts + _PRIOR_ROWS)


def almost_perfect(scores: list[Lone]) -> list[Lone]:
    """Columns that alone tell the target almost perfectly."""
    return [lone for lone in scores if lone.skill >= _ALMOST_PERFECT[lone.task]]


def standing_out(scores: list[Lone], margin: float = 0.0) -> list[Lone]:
    """The columns, three at most, whose scores stand far above those of all others, by a margin; scores best first.

    >>> scores = [Lone(column=c, skill=s, task="binary") for c, s in zip("abcd", (0.6, 0.3, 0.2, 0.1))]
    >>> [lone.column for lone in standing_out(scores)]
    ['a']
    """
    for k in range(1, min(3, len(scores) - _NUM_OTHERS) + 1):
        if scores[k - 1].skill >= _HIGH and scores[k - 1].skill - margin >= _FAR * scores[k].skill:
            return scores[:k]
    return []


def is_by_design(numbers: np.ndarray) -> bool:
    """Whether whole numbers follow each other without a gap and are about equally frequent, as hours of a day are:
    a calendar or a plan, which nothing in a row has caused.

    >>> is_by_design(np.tile(np.arange(24.0), 50)), is_by_design(np.repeat([1.0, 2.0], [90, 10]))
    (True, False)
    """
    values, rows = np.unique(numbers[np.isfinite(numbers)], return_counts=True)
    if not 2 <= len(values) <= 366 or rows.mean() < _PRIOR_ROWS or (np.diff(values) != 1).any():
        return False
    return bool(rows.max() <= 1.2 * rows.min() + 3 * np.sqrt(rows.mean()))
