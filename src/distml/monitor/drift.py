"""Drift: two summaries of one type, compared column by column.

Each column's bins (deciles of the training rows, or categories, and missing) are compared by the chi-squared test of
homogeneity. A column has drifted when the test, corrected over all columns by Benjamini and Hochberg (1995), is
below the false-alarm rate *and* the population stability index exceeds what chance gives by `min_effect`: at many
rows everything is significant, at few rows a large index is nothing.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from distml.summary import ColumnSummary, TableSummary

MIN_EXPECTED = 5.0  # bins expected to hold fewer rows are pooled: the chi-squared approximation asks for as many


@dataclass(frozen=True, kw_only=True)
class ColumnDrift:
    """One column: `psi` is the index less its mean under no drift; `p_value` is uncorrected. `bins`, `expected` and
    `observed` are the two histograms, shares that sum to 1."""

    column: str
    psi: float
    p_value: float
    drifted: bool
    bins: tuple[str, ...]
    expected: tuple[float, ...]
    observed: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class DriftReport:
    """A window against the baseline. `rows` are the window's."""

    rows: int
    columns: tuple[ColumnDrift, ...]

    @property
    def drifted(self) -> list[str]:
        return [column.column for column in self.columns if column.drifted]

    def to_dict(self) -> dict[str, Any]:
        return {
            "rows": self.rows,
            "drifted": self.drifted,
            "columns": [asdict(column) for column in self.columns],
        }


def compare(baseline: TableSummary, live: TableSummary, *, false_alarm_rate: float, min_effect: float) -> DriftReport:
    """The drift of every column that both summaries have."""
    measured = [
        (name, *_compare_column(baseline.columns[name], column))
        for name, column in live.columns.items()
        if name in baseline.columns and column.count and baseline.columns[name].count
    ]
    significant = benjamini_hochberg(np.array([p for _, _, p, *_ in measured]), false_alarm_rate)
    columns = tuple(
        ColumnDrift(
            column=name, psi=psi, p_value=p, drifted=bool(flag and psi >= min_effect), bins=bins,
            expected=tuple(expected.tolist()), observed=tuple(observed.tolist()),
        )
        for (name, psi, p, bins, expected, observed), flag in zip(measured, significant, strict=True)
    )  # fmt: skip
    return DriftReport(rows=live.count, columns=columns)


def benjamini_hochberg(p_values: np.ndarray, rate: float) -> np.ndarray:
    """Which hypotheses are rejected at a false discovery rate, bool [m].

    >>> benjamini_hochberg(np.array([0.001, 0.5, 0.02]), 0.05).tolist()
    [True, False, True]
    """
    m = len(p_values)
    order = np.argsort(p_values)
    passed = np.flatnonzero(p_values[order] <= rate * np.arange(1, m + 1) / max(m, 1))
    rejected = np.zeros(m, bool)
    if len(passed):
        rejected[order[: passed[-1] + 1]] = True
    return rejected


def _compare_column(
    baseline: ColumnSummary, live: ColumnSummary
) -> tuple[float, float, tuple[str, ...], np.ndarray, np.ndarray]:
    names, expected, observed = _counts(baseline, live)
    n, m = expected.sum(), observed.sum()
    common, rest = _pool(expected, observed)
    bins = np.column_stack([common, rest]) if rest.any() else common
    psi = population_stability(*bins) - (bins.shape[1] - 1) * (1 / n + 1 / m)
    return max(float(psi), 0.0), _p_value(common, rest), names, expected / n, observed / m


def _counts(baseline: ColumnSummary, live: ColumnSummary) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
    """Bin names, and counts of both summaries with missing values as the last bin."""
    if baseline.is_number and baseline.bins is not None and live.bins is not None and baseline.edges is not None:
        edges = [f"{edge:.6g}" for edge in baseline.edges]
        within = [low if low == high else f"{low} to {high}" for low, high in pairwise(edges)]
        names = (f"below {edges[0]}", *within, f"above {edges[-1]}", "missing")
        return (
            names,
            np.append(baseline.bins, baseline.nulls).astype(float),
            np.append(live.bins, live.nulls).astype(float),
        )
    known, seen = baseline.categories or {}, live.categories or {}
    frequent = sorted(known, key=lambda value: (-known[value], value))[:50]
    # A column without counts, one value or more than are counted, has only present and missing.
    rest_known = baseline.present - sum(known[value] for value in frequent)
    rest_seen = live.present - sum(seen.get(value, 0) for value in frequent)
    expected = [*(known[value] for value in frequent), rest_known, baseline.nulls]
    observed = [*(seen.get(value, 0) for value in frequent), rest_seen, live.nulls]
    return (*frequent, "other", "missing"), np.array(expected, float), np.array(observed, float)


def _pool(expected: np.ndarray, observed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both counts of the common bins, float64 [2, b], and of the rare ones added up, float64 [2].

    Rare is judged by the baseline alone, as bins chosen by what is compared in them would bias the test. A category
    which only live rows have is among the rare ones.
    """
    both = np.stack([expected, observed])
    scale = min(1.0, observed.sum() / expected.sum())
    rare = expected * scale < MIN_EXPECTED
    common, rest = both[:, ~rare], both[:, rare].sum(axis=1)
    if rest[0] * scale >= MIN_EXPECTED:
        return np.column_stack([common, rest]), np.zeros(2)
    return common, rest


def _p_value(common: np.ndarray, rest: np.ndarray) -> float:
    """That of the common bins by chi-squared or, where less, that of the rare ones, twice the lesser (Bonferroni).

    Chi-squared takes one value beyond the training rows' range for a miracle; the rare bins' p-value is the exact
    chance, hypergeometric, that at least as many of their rows are live ones.
    """
    from scipy.stats import hypergeom

    comparable = common.shape[1] > 1 and common.sum(axis=1).all()
    p_values = [_homogeneity(*common)] if comparable else []
    if rest.any():
        n, m = common.sum(axis=1) + rest
        p_values.append(float(hypergeom.sf(rest[1] - 1, n + m, rest.sum(), m)))
    return min(1.0, len(p_values) * min(p_values)) if p_values else 1.0


def population_stability(expected: np.ndarray, observed: np.ndarray) -> float:
    """PSI = sum (o - e) ln(o / e) over shares, half a row added to every bin so that none is empty."""
    e = (expected + 0.5) / (expected + 0.5).sum()
    o = (observed + 0.5) / (observed + 0.5).sum()
    return float(np.sum((o - e) * np.log(o / e)))


def _homogeneity(expected: np.ndarray, observed: np.ndarray) -> float:
    """p-value of Pearson's chi-squared test that both rows of counts come from one distribution."""
    from scipy.stats import chi2

    both = np.stack([expected, observed])
    fitted = both.sum(axis=1, keepdims=True) * both.sum(axis=0) / both.sum()
    return float(chi2.sf(np.sum((both - fitted) ** 2 / fitted), len(expected) - 1))
