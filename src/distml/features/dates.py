"""Datetimes by the calendar: parts of the year, week and day. The time itself is a number like others."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

import numpy as np

from distml.config.features import DatePart
from distml.features.transforms import Transform

_MISSING = np.iinfo(np.int64).min
_DAY_US = 86_400_000_000
PERIODS: dict[DatePart, int] = {"month": 12, "day_of_year": 366, "weekday": 7, "hour": 1440}  # hours by the minute


@dataclass(frozen=True, kw_only=True)
class CalendarTransform(Transform):
    """One datetime column by parts of the calendar, in UTC.

    With `cyclic`, month, day_of_year, weekday and hour are points on a circle, as sine and cosine, 0 where the time is
    missing; else they are numbers (Monday is 0, January 1, half past two 14.5), NaN where it is missing. The year is
    (year - year_center) / year_scale.
    """

    parts: tuple[DatePart, ...]
    cyclic: bool
    year_center: float = 0.0
    year_scale: float = 1.0
    indicator: bool = False
    kind: ClassVar[str] = "calendar"

    @property
    def names(self) -> tuple[str, ...]:
        found = []
        for part in self.parts:
            is_circle = self.cyclic and part != "year"
            found += [f"{self.column}_{part}{end}" for end in (("_sin", "_cos") if is_circle else ("",))]
        return (*found, f"{self.column}_missing") if self.indicator else tuple(found)

    def read(self, column: Any) -> np.ndarray:
        return microseconds(column)

    def write(self, values: np.ndarray, out: np.ndarray) -> None:
        missing = values == _MISSING
        values = np.where(missing, 0, values)
        has_missing = bool(missing.any())
        at = 0
        for part, whole in calendar(values, self.parts).items():
            if part == "year":
                columns = [(whole - self.year_center) / self.year_scale]
            elif self.cyclic:
                columns = [turn[whole] for turn in circle(PERIODS[part])]
            else:
                columns = [_as_number(part, whole)]
            for found in columns:
                out[:, at] = np.where(missing, 0.0 if self.cyclic else np.nan, found) if has_missing else found
                at += 1
        if self.indicator:
            out[:, at] = missing


def _as_number(part: DatePart, whole: np.ndarray) -> np.ndarray:
    if part == "hour":
        return whole / 60.0
    return whole if part == "weekday" else whole + 1


def microseconds(column: Any) -> np.ndarray:
    """A pyarrow array of timestamps as microseconds since 1970, int64 [n]; the least number for null."""
    import pyarrow as pa
    import pyarrow.compute as pc

    whole = pc.cast(pc.cast(column, pa.timestamp("us")), pa.int64())
    return pc.fill_null(whole, int(_MISSING)).to_numpy(zero_copy_only=False)


def calendar(values: np.ndarray, parts: tuple[DatePart, ...]) -> dict[DatePart, np.ndarray]:
    """Parts of microseconds since 1970 in UTC, each int64 [n]: the year, the others from 0, hours in minutes.

    >>> at = np.array(["2024-12-31T14:30"], "datetime64[us]").astype(np.int64)
    >>> {name: int(part[0]) for name, part in calendar(at, ("year", "month", "day_of_year", "weekday", "hour")).items()}
    {'year': 2024, 'month': 11, 'day_of_year': 365, 'weekday': 1, 'hour': 870}
    """
    days = values // _DAY_US
    found: dict[DatePart, np.ndarray] = {}
    for part in parts:
        if part == "hour":
            found[part] = (values - days * _DAY_US) // 60_000_000
        elif part == "weekday":
            found[part] = (days + 3) % 7  # 1970 began on a Thursday
        elif part == "month":
            found[part] = days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64) % 12
        else:
            years = days.astype("datetime64[D]").astype("datetime64[Y]")
            starts = years.astype("datetime64[D]").astype(np.int64)
            found[part] = years.astype(np.int64) + 1970 if part == "year" else days - starts
    return found


@cache
def circle(period: int) -> tuple[np.ndarray, np.ndarray]:
    """Sine and cosine of the whole steps of a turn, float32 [period] each."""
    angles = 2 * np.pi * np.arange(period) / period
    return np.sin(angles).astype(np.float32), np.cos(angles).astype(np.float32)
