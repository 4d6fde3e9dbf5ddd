"""Many columns' scales applied at once: few rows of many columns cost calls, not numbers.

Each number comes out as its own scale would have it, bit for bit: the same operations in the same order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from distml.scaling.scales import LinearScale, LogScale, QuantileScale, Scaling, signed_log1p

_MANY_ROWS = 128  # from which each column's own curve, which doesn't search, is sooner


class _Together(Protocol):
    def transform(self, values: np.ndarray) -> np.ndarray:
        """Values float64 [n, m], a column for each scale, scaled."""
        ...


class ScalesTogether:
    """Scales of m columns, None for a column that isn't scaled."""

    def __init__(self, scales: Sequence[Scaling | None]) -> None:
        kinds: dict[type, list[int]] = {}
        for i, scale in enumerate(scales):
            if scale is not None:
                kinds.setdefault(type(scale), []).append(i)
        self._parts: list[tuple[np.ndarray, _Together]] = [
            (np.array(places), _TOGETHER[kind]([scales[i] for i in places])) for kind, places in kinds.items()
        ]
        self._is_one = len(kinds) == 1 and None not in scales

    def transform(self, values: np.ndarray) -> np.ndarray:
        """Values float64 [n, m] scaled, each column by its own scale."""
        if self._is_one:
            return self._parts[0][1].transform(values)
        scaled = values.copy()
        for places, part in self._parts:
            scaled[:, places] = part.transform(values.take(places, axis=1))
        return scaled


@dataclass(frozen=True)
class _Linear:
    center: np.ndarray
    scale: np.ndarray

    @classmethod
    def of(cls, scales: Sequence[Any]) -> _Linear:
        return cls(np.array([one.center for one in scales]), np.array([one.scale for one in scales]))

    def transform(self, values: np.ndarray) -> np.ndarray:
        return (values - self.center) / self.scale


@dataclass(frozen=True)
class _Log:
    linear: _Linear

    @classmethod
    def of(cls, scales: Sequence[Any]) -> _Log:
        return cls(_Linear.of(scales))

    def transform(self, values: np.ndarray) -> np.ndarray:
        return self.linear.transform(signed_log1p(values))


class _Quantile:
    """All columns' references in one ascending array of (column, reference), so that one search serves them all.

    The pairs are complex numbers, which numpy orders by their real part and then by their imaginary one.
    """

    def __init__(self, scales: Sequence[QuantileScale]) -> None:
        self._curves = curves = [scale.curve for scale in scales]
        self._least = np.array([curve.references[0] for curve in curves])
        self._most = np.array([curve.references[-1] for curve in curves])
        self._column = np.arange(len(curves), dtype=float)
        self._references = np.concatenate([curve.references for curve in curves])
        self._scores = np.concatenate([curve.scores for curve in curves])
        self._slopes = np.concatenate([curve.slopes for curve in curves])
        lengths = [len(curve.references) for curve in curves]
        self._pairs = _pairs(np.repeat(self._column, lengths), self._references)

    def transform(self, values: np.ndarray) -> np.ndarray:
        if len(values) >= _MANY_ROWS:
            return np.column_stack([curve(column) for curve, column in zip(self._curves, values.T, strict=True)])
        values = np.minimum(np.maximum(values, self._least), self._most)  # NaN stays NaN
        wanted = _pairs(self._column, values)
        place = np.searchsorted(self._pairs, wanted, side="right") - 1
        return self._scores.take(place) + self._slopes.take(place) * (values - self._references.take(place))


def _pairs(columns: np.ndarray, values: np.ndarray) -> np.ndarray:
    """(column, value) as complex numbers of the values' shape, over which columns are spread."""
    pairs = np.empty(values.shape, np.complex128)
    pairs.real, pairs.imag = columns, values
    return pairs


_TOGETHER: dict[type, Any] = {LinearScale: _Linear.of, LogScale: _Log.of, QuantileScale: _Quantile}
