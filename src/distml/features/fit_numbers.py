"""Fitting what becomes of number and datetime columns, from the training rows' summary."""

from __future__ import annotations

import numpy as np

from distml.clean import Finding
from distml.config.features import ClipConfig, DatePart, DatetimeConfig, NumericConfig, Scale
from distml.features.dates import CalendarTransform, calendar, microseconds
from distml.features.numeric import NumericTransform
from distml.features.transforms import LIMIT
from distml.scaling import LinearScale, Numbers, Scaling
from distml.summary import ColumnSummary, TableSummary

AUTO_PARTS: tuple[DatePart, ...] = ("hour", "weekday", "day_of_year")


def fit_number(
    name: str, summary: TableSummary, config: NumericConfig, findings: list[Finding], suffix: str = ""
) -> NumericTransform:
    """A number column, imputed and scaled as configured. A network can't take NaN, and a column without gaps in
    training may have them in serving: so there always is a value to fill in."""
    known = summary.columns[name]
    numbers = Numbers.of(name, summary)
    low, high = _bounds(name, numbers, config.clip, known, findings)
    numbers = numbers.within(low, high)
    edges: tuple[float, ...] = ()
    if config.bins is not None:
        found = np.unique(np.quantile(numbers.values, np.linspace(0, 1, config.bins + 1)))
        edges = tuple(found.tolist()) if len(found) > 1 else ()
    scaling = None if edges else _scaling(name, numbers, config.scale, findings, known.present)
    if not edges:
        findings += _beyond_range(name, numbers, scaling)
    return NumericTransform(
        column=name, suffix=suffix, fill=_fill(numbers, config), low=low, high=high, edges=edges, scaling=scaling,
        indicator=config.indicator and known.nulls > 0,
    )  # fmt: skip


def _beyond_range(name: str, numbers: Numbers, scaling: Scaling | None) -> list[Finding]:
    """What float32 can't hold, and is taken as the end of its range; the extremes tell whether there is any."""
    values = np.concatenate([[numbers.least, numbers.most], numbers.values])
    with np.errstate(over="ignore", invalid="ignore"):
        is_beyond = ~(np.abs(values if scaling is None else scaling.transform(values)) <= LIMIT)
    if not is_beyond.any():
        return []
    count = max(int(is_beyond[2:].sum()), int(is_beyond[:2].sum()))  # of those sampled: at least so many
    remedy = f"they are taken as its end, {LIMIT:.2g}; where they are no numbers, clean.rules.{name} makes them null"
    return [
        Finding(rule="a feature's numbers are within float32's range", column=name, count=count, action="clip",
                remedy=remedy)
    ]  # fmt: skip


def _fill(numbers: Numbers, config: NumericConfig) -> float:
    if config.impute == "constant":
        assert config.fill_value is not None
        return config.fill_value
    return numbers.mean if config.impute == "mean" else float(np.median(numbers.values))


def _bounds(
    name: str, numbers: Numbers, clip: ClipConfig | None, known: ColumnSummary, findings: list[Finding]
) -> tuple[float | None, float | None]:
    if clip is None:
        return None, None
    if clip.quantiles is None:
        low, high = clip.min, clip.max
    else:
        low, high = np.quantile(numbers.values, clip.quantiles).tolist()
    inside = numbers.within(low, high)
    if inside.least < inside.most or numbers.least == numbers.most:
        return low, high
    findings.append(
        Finding(
            rule="a clipped feature keeps at least two values", column=name, count=known.present, action="ignore",
            remedy="it is not clipped; widen features.columns' clip",
        )
    )  # fmt: skip
    return None, None


def _scaling(name: str, numbers: Numbers, scale: Scale, findings: list[Finding], count: int) -> Scaling | None:
    """The scale that the config names; another one, as a finding, where the training rows don't allow it."""
    found = numbers.scaled(scale)
    if found is not None or scale == "none" or numbers.least == numbers.most:
        return found
    instead = numbers.scaled("standard") or numbers.scaled("quantile")
    findings.append(
        Finding(
            rule=f"the training rows vary enough for the scale {scale}",
            column=name,
            count=count,
            action="replace",
            remedy=f"they are scaled by {'deviation' if isinstance(instead, LinearScale) else 'quantiles'}",
        )
    )
    return instead


def fit_calendar(
    name: str, summary: TableSummary, config: DatetimeConfig, findings: list[Finding], *, cyclic: bool, indicator: bool
) -> CalendarTransform | None:
    """The calendar's parts of a datetime column; one that the training rows don't vary in is left out."""
    asked = AUTO_PARTS if config.parts == "auto" else tuple(part for part in config.parts if part != "epoch")
    values = microseconds(summary.sample.column(name).combine_chunks().drop_null())
    found = calendar(values, asked)
    parts = tuple(part for part in asked if len(np.unique(found[part])) > 1)
    if config.parts != "auto":
        findings += [
            Finding(
                rule=f"a part of a datetime takes at least two values in the training rows: {part}", column=name,
                count=summary.columns[name].count, action="ignore",
            )
            for part in asked if part not in parts
        ]  # fmt: skip
    if not parts:
        return None
    years = found["year"] if cyclic and "year" in parts else np.array([0.0, 1.0])
    center, scale = (float(years.mean()), float(years.std())) if cyclic and "year" in parts else (0.0, 1.0)
    return CalendarTransform(
        column=name, parts=parts, cyclic=cyclic, year_center=center, year_scale=scale, indicator=indicator
    )  # fmt: skip
