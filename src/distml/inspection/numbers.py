"""What is odd in a column of numbers or dates: codes for missing ones, values that can't be, values cut off."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import numpy as np

from distml.inspection import signs
from distml.inspection.counts import NumberCounts
from distml.inspection.observation import Level
from distml.inspection.probe import Probe, Test
from distml.inspection.remark import shown
from distml.inspection.sequences import suspect_sequences
from distml.inspection.suspect import Suspect
from distml.inspection.tails import outlier_bounds
from distml.inspection.view import View
from distml.schema import Column

_MAX_NEGATIVE = 0.02  # share of numbers below zero that can be an exception
_MIN_NEGATIVE = 3
_MAX_ZEROS = 0.2  # share above which zeros are what is usual
_FEW_ROWS = 5
_MAX_SENTINELS = 3


def suspect_numbers(view: View, method: str = "tail", threshold: float | None = None) -> Iterator[Suspect]:
    """Suspects among a table's numbers and dates. `method` and `threshold` say what an outlier is: "tail", by the
    column's own tail, or "robust_z" and "iqr", by that many deviations or ranges."""
    columns = [c for c in view.cleaner.schema.kept if c.kind in ("numeric", "datetime") and c.name in view.columns]
    for column in columns:
        counts = view.columns[column.name].counts
        assert isinstance(counts, NumberCounts)
        if counts.present and column.role != "weight":
            sample = view.numbers(column.name)
            yield from suspects_of(column, counts, sample, len(columns), method, threshold)
    yield from suspect_sequences(view)


def suspects_of(
    column: Column, counts: NumberCounts, sample: np.ndarray, num_columns: int, method: str = "tail",
    threshold: float | None = None,
) -> Iterator[Suspect]:  # fmt: skip
    """Suspects in one column, as counted and as sampled, float64 [n]; `num_columns` share one rate of false alarms."""
    num_sentinels = 0
    is_number = column.kind == "numeric"
    while is_number and num_sentinels < _MAX_SENTINELS:
        sentinel = signs.sentinel_of(counts.values, counts.rows)
        if sentinel is None:
            break
        yield _sentinel(column, sentinel[0])
        counts = without(counts, sentinel[0])
        num_sentinels += 1
    negative = is_number and are_negatives_odd(counts, float(np.nanmedian(sample)))
    if negative:
        yield _negative(column)
    if is_number:
        yield from _zeros(column, counts)
        if not num_sentinels:
            yield from _cap(column, counts)
    yield from _outliers(column, counts, sample, num_columns, method, threshold, below=not negative)


def without(counts: NumberCounts, value: float) -> NumberCounts:
    """Counts without one value."""
    kept = counts.values != value
    gone = int(counts.rows[~kept].sum())
    return NumberCounts(
        most=counts.most, values=counts.values[kept], rows=counts.rows[kept], is_whole=counts.is_whole,
        present=counts.present - gone, total=counts.total - gone * value,
    )  # fmt: skip


def _sentinel(column: Column, value: float) -> Suspect:
    return Suspect(
        kind="sentinel", rule="a code for a missing value is declared", column=column.name, level="high",
        told=f"{shown(value)}, far from all others: a code for a missing value?",
        remedy=f"clean: {{replace: {{{column.name}: {{{shown(value)}: null}}}}}}",
        probe=Probe(column=column.name, test="in", values=(value,)),
    )  # fmt: skip


def are_negatives_odd(counts: NumberCounts, median: float) -> bool:
    """Whether negative numbers are an exception in a column that otherwise begins at zero.

    A tail that runs through zero thins out there: of two stretches of equal width to its sides, the outer one has some
    fraction of the inner one's rows. Where it has hardly any, the negatives are no part of that tail; unless there are
    as many numbers above twice the median as below zero: then both are the tails of one symmetric distribution.

    >>> rng = np.random.default_rng(0)
    >>> fares = rng.lognormal(2, 1, 10_000)
    >>> are_negatives_odd(NumberCounts.of(np.append(fares, -fares[:50]), 20_000), 7.4)
    True
    >>> are_negatives_odd(NumberCounts.of(rng.normal(2.5, 1, 10_000), 20_000), 2.5)
    False
    """
    values, rows = counts.low
    below = values < 0
    num_below = int(rows[below].sum())
    if not _MIN_NEGATIVE <= num_below <= _MAX_NEGATIVE * counts.present or below.all():
        return False
    width = -np.interp(num_below / 2, np.cumsum(rows[below]), values[below])
    outer = rows[(values < 0) & (values >= -width)].sum()
    inner = rows[(values > 0) & (values <= width)].sum()
    values, rows = counts.high
    num_above = int(rows[values > 2 * median].sum())
    is_symmetric = abs(num_above - num_below) <= 3 * np.sqrt(num_above + num_below)
    return bool(inner >= 20 * max(int(outer), 1) and not is_symmetric)


def _negative(column: Column) -> Suspect:
    return Suspect(
        kind="impossible", rule="numbers that begin at zero are not negative", column=column.name, level="high",
        told="below zero, where hardly any number lies",
        remedy=f"clean: {{rules: {{{column.name}: {{min: 0, on_violation: null}}}}}}",
        probe=Probe(column=column.name, test="below", values=(0.0,)),
    )  # fmt: skip


def _zeros(column: Column, counts: NumberCounts) -> Iterator[Suspect]:
    values, rows = counts.low
    place = int(np.searchsorted(values, 0.0))
    if is_zero_rare(values[place : place + 4], rows[place : place + 4]):
        yield _zero(column, "0, where hardly any row has it and most have 1: not known?", "low")
        return
    if place + 12 > len(values) or values[place] != 0 or len(counts.values) < 30:
        return
    if place and rows[:place].sum() > _MAX_NEGATIVE * counts.present:
        return
    num_zeros, share = int(rows[place]), rows[place] / counts.present
    gaps = np.diff(values[place : place + 12])
    is_apart = num_zeros >= _FEW_ROWS and gaps[0] >= 3 * np.median(gaps[1:])
    is_spike = num_zeros >= 20 and num_zeros >= 10 * rows[place + 1 : place + 11].max()
    if share > _MAX_ZEROS or not (is_apart or is_spike):
        return
    if is_apart:
        told = f"0, and then nothing up to {shown(float(values[place + 1]))}: not measured?"
        yield _zero(column, told, "high" if share < 0.01 else "low")
    else:
        yield _zero(column, "0, in far more rows than any number near it: none, or not measured?", "low")


def _zero(column: Column, told: str, level: Level) -> Suspect:
    return Suspect(
        kind="zeros", rule="zero is a number like the others", column=column.name, level=level, told=told,
        remedy=f"clean: {{replace: {{{column.name}: {{0: null}}}}}}",
        probe=Probe(column=column.name, test="in", values=(0.0,)),
    )  # fmt: skip


def is_zero_rare(values: np.ndarray, rows: np.ndarray) -> bool:
    """Whether counts that begin at one have a few zeros among them, from the rows of 0, 1, 2 and a larger number.

    Of a count, p0 p2 / p1² is a half or more (Poisson, negative binomial), and at least a quarter (binomial): less
    than a twentieth says that zeros don't belong to it.

    >>> is_zero_rare(np.arange(4.0), np.array([20, 710, 150, 40]))
    True
    >>> is_zero_rare(np.arange(4.0), np.array([300, 330, 180, 70]))
    False
    """
    if len(values) < 4 or list(values[:3]) != [0, 1, 2] or rows[0] < _FEW_ROWS:
        return False
    return bool(rows[0] < 0.05 * rows[1] and rows[2] < rows[1] and 20 * rows[0] * rows[2] < rows[1] ** 2)


def _cap(column: Column, counts: NumberCounts) -> Iterator[Suspect]:
    values, rows = counts.high
    found = signs.cap_of(values, rows, counts.present)
    if found is None:
        return
    is_target = column.role == "target"
    remedy = f"clean: {{rules: {{{column.name}: {{max: {shown(float(values[-2]))}, on_violation: drop}}}}}}"
    yield Suspect(
        kind="cap", rule="numbers are not cut off", column=column.name, level="medium" if is_target else "low",
        told=f"stand at the largest value, {shown(found[0])}: probably cut off there"
        + (", so errors are measured against a wrong truth" if is_target else ""),
        remedy=remedy if is_target else "nothing for trees; for networks an indicator of its own can help",
        probe=Probe(column=column.name, test="in", values=(found[0],)),
    )  # fmt: skip


def _outliers(
    column: Column, counts: NumberCounts, sample: np.ndarray, num_columns: int, method: str,
    threshold: float | None, *, below: bool,
) -> Iterator[Suspect]:  # fmt: skip
    sample = sample[~np.isnan(sample)]
    if not len(sample):
        return
    bounds = bounds_by(method, threshold, sample, counts, num_columns)
    is_date, why = column.kind == "datetime", _WHY[method].format(threshold=threshold or _THRESHOLD[method])
    sides: tuple[Test, Test] = ("below", "above")
    for bound, test in zip(bounds, sides, strict=True):
        if bound is None or (test == "below" and not below):
            continue
        side = "min" if test == "below" else "max"
        yield Suspect(
            kind="outlier", rule="dates lie near each other" if is_date else "numbers lie near each other",
            column=column.name, level="high" if method == "tail" else "medium",
            told=f"{test} {moment(bound) if is_date else shown(bound)}, {why}",
            remedy=f"clean: {{rules: {{{column.name}: {{{side}: {shown(bound)}, on_violation: null}}}}}}",
            probe=Probe(column=column.name, test=test, values=(bound,)),
        )  # fmt: skip


_WHY = {
    "tail": "where a gap parts them from all others",
    "robust_z": "further from the median than {threshold:g} robust deviations",
    "iqr": "further from the quartiles than {threshold:g} times their distance",
}
_THRESHOLD = {"tail": 0.0, "robust_z": 3.5, "iqr": 3.0}  # Iglewicz and Hoaglin (1993); Tukey's far out (1977)


def bounds_by(
    method: str, threshold: float | None, sample: np.ndarray, counts: NumberCounts, num_columns: int
) -> tuple[float | None, float | None]:
    """The least and largest number that is no outlier; `sample` float64 [n] gives the quantiles.

    >>> bounds_by("iqr", 1.5, np.arange(101.0), NumberCounts(most=1), 1)
    (-50.0, 150.0)
    """
    wide = _THRESHOLD[method] if threshold is None else threshold
    low, middle, high = np.quantile(sample, [0.25, 0.5, 0.75])
    if method == "tail":
        return outlier_bounds(counts, float(middle), num_columns)
    if method == "iqr":
        return float(low - wide * (high - low)), float(high + wide * (high - low))
    deviation = float(np.median(np.abs(sample - middle))) / 0.6745  # that of a normal distribution
    if deviation == 0:
        return None, None
    return float(middle - wide * deviation), float(middle + wide * deviation)


def moment(value: float) -> str:
    """Seconds since 1970 as a date.

    >>> moment(86400.0)
    '1970-01-02 00:00:00'
    """
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=value)).strftime("%Y-%m-%d %H:%M:%S")
