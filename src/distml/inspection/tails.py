"""Numbers too far out: further than a column's own tail, however heavy, lets one expect.

Let y_1 >= y_2 >= ... be the distances from the median on one side. Under a Pareto tail of index ξ the weighted log
spacings j ln(y_j / y_j+1) are independent and exponential with mean ξ (Rényi 1953, Hill 1975); lighter tails, as those
of normal, lognormal and bounded numbers, have smaller ones further out. So the spacing at j over the mean of the k
further in is at most an F(2, 2k) variate, and one beyond its quantile parts the j outermost values from all others.
Tests run from the inside to the outside, so that several outliers don't hide each other (Davies and Gather 1993).
"""

from __future__ import annotations

import numpy as np

from distml.inspection.counts import NumberCounts

_NUM_INNER = 100  # spacings that the tail's index is taken from
_MAX_SHARE = 0.005  # of the rows that can be outliers; more are a group of their own
_MIN_RATIO = 1.5  # of the distances on both sides of a break: less is seen in tails that are merely coarse
_SPENT = 6 / np.pi**2  # of the rate at j = 1; 1/j² of that further in, so that all of it is spent over all j
_MIN_DISTINCT = 20
_MIN_ROWS = 50
RATE = 0.01  # of false alarms, over all columns of a table and both sides of each


def outlier_bounds(counts: NumberCounts, median: float, num_columns: int) -> tuple[float | None, float | None]:
    """The least and the largest number that go with a column's others; None on a side where all do.

    >>> numbers = np.append(np.random.default_rng(0).normal(size=1000), [30.0, 31.0])
    >>> low, high = outlier_bounds(NumberCounts.of(numbers, 2000), 0.0, 1)
    >>> low is None, bool(high == np.sort(numbers)[-3])
    (True, True)
    """
    if counts.present < _MIN_ROWS or len(counts.values) < _MIN_DISTINCT:
        return None, None
    rate = RATE / (2 * num_columns)
    bounds: list[float | None] = []
    for (values, rows), sign in ((counts.low, -1.0), (counts.high, 1.0)):
        distance = sign * (values - median)
        order = np.argsort(-distance)
        inside = _break(distance[order], rows[order], counts.present, rate)
        bounds.append(None if inside is None else float(values[order][inside]))
    return bounds[0], bounds[1]


def _break(distance: np.ndarray, rows: np.ndarray, num_rows: int, rate: float) -> int | None:
    """The place of the outermost distance that goes with the others, None where all do.

    distance: float64 [m] of distinct values, descending; rows: int64 [m].
    """
    told = distance > 0
    distance, rows = distance[told], rows[told]
    reach = np.cumsum(rows)  # rows this far out or further
    outer = np.flatnonzero(reach <= max(3, _MAX_SHARE * num_rows))
    outer = outer[outer < len(distance) - 1]
    if not len(outer):
        return None
    # Each row is a spacing; rows of one value have none between them, and the whole gap stands at the last of them.
    spacing = reach[:-1] * np.log(distance[:-1] / distance[1:])
    sums = np.concatenate([[0.0], np.cumsum(spacing)])
    for i in outer[::-1]:
        if distance[i] < _MIN_RATIO * distance[i + 1]:
            continue
        end = int(np.searchsorted(reach, reach[i] + _NUM_INNER, side="left"))
        end = min(end, len(spacing))
        k = int(reach[end - 1] - reach[i]) if end > i + 1 else 0
        if k < 10:
            continue
        mean = max((sums[end] - sums[i + 1]) / k, 1e-9)
        if (1 + spacing[i] / (k * mean)) ** -k < rate * _SPENT / reach[i] ** 2:
            return int(i) + 1
    return None
