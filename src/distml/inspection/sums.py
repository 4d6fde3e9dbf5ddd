"""Sums of columns that make up a numeric target, to its last digit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from distml.inspection.scores import drawn

_NUM_ROWS = 4_000
_MAX_TERMS = 40
_MAX_SIZE = 1e100  # of numbers larger yet, squares and their sums are beyond what float64 holds
_SAME = 0.99  # of the rows that a sum meets, as many as before


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Columns whose weighted sum is the target, to its last digit, in a share of the rows. `closeness`: how near it
    comes in all rows, the R² of ranks."""

    weights: dict[str, float]
    share: float
    closeness: float

    @property
    def makes_up(self) -> tuple[str, ...]:
        """Columns that hold the target or a part of it: those added, for what is subtracted is known before it; all
        where none is added."""
        return tuple(name for name, weight in self.weights.items() if weight > 0) or tuple(self.weights)

    @property
    def told(self) -> str:
        """
        >>> Identity(weights={"total": 1.0, "fare": -1.0, "miles": 2.5}, share=1, closeness=1).told
        'total - fare + 2.5 miles'
        """
        terms = []
        for name, weight in self.weights.items():
            size = "" if abs(abs(weight) - 1) < 5e-3 else f"{abs(weight):.3g} "
            terms.append(f"{'-' if weight < 0 else '+'} {size}{name}")
        return " ".join(terms).removeprefix("+ ")


def find_identity(columns: Mapping[str, np.ndarray], target: np.ndarray) -> Identity | None:
    """A weighted sum of number columns (float64 [n], NaN counts as 0) that is the target in most rows that differ.

    The sum is fitted with more and more weight on the rows that it meets already (iteratively reweighted least squares
    for the p = 1/2 norm, Chartrand and Yin 2008), so rows that it doesn't hold for don't move it. It is one where the
    rows that it meets to the target's last digit are many, on rows not fitted too, and three times the tolerance finds
    hardly more: a good prediction comes near ever more rows instead.
    """
    from scipy.stats import spearmanr

    rows = drawn(len(target), _NUM_ROWS)
    if np.abs(target[rows]).max(initial=0.0) > _MAX_SIZE:
        return None
    y = target[rows] - np.median(target[rows])
    drawn_columns = {name: np.nan_to_num(columns[name][rows]) for name in list(columns)[:_MAX_TERMS]}
    names = [
        name for name, values in drawn_columns.items()
        if np.abs(values).max(initial=0.0) <= _MAX_SIZE and np.ptp(values) > 0
    ]  # fmt: skip
    if not names or len(y) < 10 * (len(names) + 1) or np.ptp(y) == 0:
        return None
    # Of a target of few digits a fair guess would meet many rows within half of the last one.
    tolerance = min(_half_digit(target[rows]), 0.01 * float(np.subtract(*np.quantile(y, [0.95, 0.05]))) or np.inf)
    x = np.column_stack([drawn_columns[name] for name in names])
    scale = x.std(axis=0)
    x = (x - np.median(x, axis=0)) / scale
    kept = _needed(x, y, tolerance)
    beta, share = _fit_sum(x[:, kept], y, tolerance)
    weights = {names[i]: float(b / scale[i]) for i, b in zip(kept, beta, strict=True) if abs(b) > tolerance}
    if not weights or not share:
        return None
    closeness = float(spearmanr(x[:, kept] @ beta, y).statistic ** 2)
    # A rule that some rows follow, as a usual tip of a fifth, leaves the others far away.
    is_sum = share >= 2 / 3 or closeness >= 0.85
    return Identity(weights=weights, share=share, closeness=closeness) if is_sum else None


def _half_digit(y: np.ndarray) -> float:
    """Half of the last digit that numbers are written with; a millionth of their spread where they have more."""
    for digits in range(7):
        scaled = y * 10.0**digits
        if np.mean(np.abs(scaled - np.round(scaled)) < 1e-3) > 0.99:
            return 0.501 * 10.0**-digits
    return float(1e-6 * y.std())


def _fit_sum(x: np.ndarray, y: np.ndarray, tolerance: float, num_rounds: int = 40) -> tuple[np.ndarray, float]:
    """Weights [f] of a sum, and the share of held-out rows that it meets: 0 where it only comes near them."""
    half = len(y) // 2
    a = np.column_stack([x, np.ones(len(y))])
    # Solved in an orthonormal basis, where the small normal equations are as exact as the large least squares.
    basis, sizes, directions = np.linalg.svd(a[:half], full_matrices=False)
    rank = int((sizes > 1e-10 * sizes[0]).sum())
    basis = basis[:, :rank]
    weight = np.ones(half)
    delta = np.inf
    for _ in range(num_rounds):
        weighted = basis * weight[:, None]
        place = np.linalg.lstsq(basis.T @ weighted, weighted.T @ y[:half], rcond=1e-14)[0]
        error = np.abs(y[:half] - basis @ place)
        delta = max(0.7 * min(delta, float(np.median(error))), 0.1 * tolerance)
        weight = (error**2 + delta**2) ** -0.75
        weight /= weight.max()
    beta = directions[:rank].T @ (place / sizes[:rank])
    return beta[:-1], _exact_share(np.abs(y - a @ beta)[half:], y[half:], tolerance)


def _exact_share(error: np.ndarray, y: np.ndarray, tolerance: float) -> float:
    """The share of rows met exactly; 0 where they are met by chance.

    A value that repeats, as 0 does, is met by any constant: it counts as one row that differs.
    """
    exact = error <= tolerance
    near = (error <= 3 * tolerance).mean()
    values, rows = np.unique(y[exact], return_counts=True)
    usual = rows.max() if len(rows) else 0
    share = float(exact.mean())
    others = float((exact.sum() - usual) / max(1, len(y) - usual))
    if len(values) < 8 or min(share, others) < 0.25 or (share < 0.9 and near > 1.3 * share):
        return 0.0
    return share


def _needed(x: np.ndarray, y: np.ndarray, tolerance: float) -> list[int]:
    """The columns of a sum without which it meets fewer rows; none where there is no sum."""
    beta, best = _fit_sum(x, y, tolerance)
    heaviest = [int(i) for i in np.argsort(-np.abs(beta))]
    if not best:
        return []
    kept = heaviest
    while len(kept) > 1:  # halves first, because most columns of a table have no part in it
        share = _fit_sum(x[:, kept[: len(kept) // 2]], y, tolerance)[1]
        if share < _SAME * best:
            break
        kept, best = kept[: len(kept) // 2], max(best, share)
    for i in kept[::-1]:
        rest = [k for k in kept if k != i]
        share = _fit_sum(x[:, rest], y, tolerance)[1] if rest else 0.0
        if share >= _SAME * best:
            kept, best = rest, max(best, share)
    return kept
