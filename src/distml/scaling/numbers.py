"""What fitting may know of a number column, and the scales that follow from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from distml.config.features import Scale
from distml.scaling.scales import LinearScale, LogScale, QuantileScale, Scaling, signed_log1p
from distml.summary import TableSummary, as_numbers


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """A column's values of the summary's sample, float64 [m], at least one, and facts of all its rows."""

    values: np.ndarray
    mean: float
    deviation: float
    least: float
    most: float

    @classmethod
    def of(cls, name: str, summary: TableSummary) -> Numbers:
        """Of a number or datetime column that has values."""
        known = summary.columns[name]
        values = as_numbers(summary.sample.column(name).combine_chunks().drop_null())
        assert known.min is not None and known.max is not None, f"{name} has no values"
        if not len(values):  # so few rows have one that the sample doesn't
            values = np.array([known.min, known.max], float)
        deviation = float(np.sqrt(known.variance))
        return cls(values=values, mean=known.mean, deviation=deviation, least=known.min, most=known.max)

    def within(self, low: float | None, high: float | None) -> Numbers:
        """The same for values moved within bounds; mean and deviation then are the sample's."""
        if low is None and high is None:
            return self
        values = np.clip(self.values, low, high)
        least, most = np.clip([self.least, self.most], low, high).tolist()
        mean, deviation = float(values.mean()), float(values.std())
        return Numbers(values=values, mean=mean, deviation=deviation, least=least, most=most)

    def scaled(self, scale: Scale) -> Scaling | None:
        """The scale of a name; None for "none", and where the values don't vary enough for it."""
        if scale == "none" or self.least == self.most:
            return None
        return _FITS[scale](self)


def _linear(center: float, scale: float) -> LinearScale | None:
    return LinearScale(center=center, scale=scale) if np.isfinite([center, scale]).all() and scale > 0 else None


def _robust(numbers: Numbers) -> LinearScale | None:
    low, middle, high = np.quantile(numbers.values, [0.25, 0.5, 0.75]).tolist()
    return _linear(middle, high - low)


def _log(numbers: Numbers) -> LogScale | None:
    logs = signed_log1p(numbers.values)
    scale = float(logs.std())
    return LogScale(center=float(logs.mean()), scale=scale) if scale > 0 else None


def _quantile(numbers: Numbers) -> QuantileScale | None:
    return QuantileScale.from_sample(numbers.values) if len(np.unique(numbers.values)) > 1 else None


_FITS: dict[Scale, Callable[[Numbers], Scaling | None]] = {
    "standard": lambda numbers: _linear(numbers.mean, numbers.deviation),
    "robust": _robust,
    "minmax": lambda numbers: _linear(numbers.least, numbers.most - numbers.least),
    "log1p": _log,
    "quantile": _quantile,
}
