"""Scales: one-to-one changes of a number's unit, as frozen values with a way back. Features and targets share them.

Each is elementwise, so a row alone and a row among a million come out alike bit for bit.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

_CELL_BITS = 15
_MAX_STEPS = 20
_LARGEST = 700.0  # of a logarithm whose exponential is a number


@dataclass(frozen=True, kw_only=True)
class LinearScale:
    """(x - center) / scale: mean and deviation, median and quartiles' distance, or least value and range."""

    center: float
    scale: float
    kind: ClassVar[str] = "linear"

    def transform(self, values: np.ndarray) -> np.ndarray:
        return (values - self.center) / self.scale

    def inverse(self, scaled: np.ndarray) -> np.ndarray:
        return scaled * self.scale + self.center


@dataclass(frozen=True, kw_only=True)
class LogScale:
    """Standardised sign(x) log(1 + |x|): log1p for amounts, and its mirror image for what is negative."""

    center: float
    scale: float
    kind: ClassVar[str] = "log1p"

    def transform(self, values: np.ndarray) -> np.ndarray:
        return (signed_log1p(values) - self.center) / self.scale

    def inverse(self, scaled: np.ndarray) -> np.ndarray:
        logs = scaled * self.scale + self.center
        return np.copysign(np.expm1(np.minimum(np.abs(logs), _LARGEST)), logs)


@dataclass(frozen=True, kw_only=True)
class QuantileScale:
    """The normal score of a value's rank among reference quantiles, both ascending and as many.

    Linear in the score between references; values beyond the references are taken as their ends, which is also
    how far the way back reaches.
    """

    values: tuple[float, ...]
    scores: tuple[float, ...]
    kind: ClassVar[str] = "quantile"

    def __post_init__(self) -> None:
        # Kept beside the tuples because a request pays for the conversion otherwise.
        object.__setattr__(self, "_curve", Curve(np.asarray(self.values), np.asarray(self.scores)))

    @property
    def curve(self) -> Curve:
        """From values to scores."""
        curve: Curve = self._curve  # type: ignore[attr-defined]
        return curve

    def transform(self, values: np.ndarray) -> np.ndarray:
        return self.curve(values)

    def inverse(self, scaled: np.ndarray) -> np.ndarray:
        return np.interp(scaled, self.scores, self.values)

    @classmethod
    def from_sample(cls, values: np.ndarray, num_quantiles: int = 1000) -> QuantileScale:
        """Reference quantiles of a sample, float64 [m], at least two of them distinct.

        A value that repeats among the references gets the middle of its ranks; the ends get the scores of the ranks
        1 / 2m and 1 - 1 / 2m (Hazen's plotting position), so that few rows make no outliers.
        """
        from scipy.special import ndtri

        ranks = np.linspace(0, 1, min(num_quantiles, max(len(values), 2)))
        # Many quantiles at once are cheaper from sorted values than by numpy's partitions.
        references = np.interp(ranks * (len(values) - 1), np.arange(len(values)), np.sort(values))
        distinct, inverse, counts = np.unique(references, return_inverse=True, return_counts=True)
        means = np.bincount(inverse, weights=ranks) / counts
        end = 0.5 / len(values)
        return cls(values=tuple(distinct.tolist()), scores=tuple(ndtri(np.clip(means, end, 1 - end)).tolist()))


class Curve:
    """Linear interpolation, as `np.interp`, and several times as fast where many values are looked up.

    A value's place among the references is not searched for: the first bits of (value - middle) as a float, whose
    order is the values', names a cell; the table says how many references lie in cells before it; what is left is
    counted. Where references crowd into a cell, far from the middle, they are searched for after all.
    """

    def __init__(self, references: np.ndarray, scores: np.ndarray) -> None:
        self.references, self.scores = references, scores
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            slopes = np.diff(scores) / np.diff(references)
        self.slopes = np.r_[np.where(np.isfinite(slopes), slopes, 0.0), 0.0]
        self.middle = references[len(references) // 2] or -0.0  # x - -0.0 is never -0.0, whose cell is not that of 0
        self.next = np.r_[references[1:], np.inf]

    @cached_property
    def table(self) -> tuple[np.ndarray, int]:
        """The reference that each cell's least value follows, int16 [2^15], and how many references a cell has at
        most. Made when many values come: a replica has no use for it."""
        per_cell = np.bincount(self._cells(self.references), minlength=2**_CELL_BITS)
        before = np.cumsum(per_cell) - per_cell
        return np.maximum(before - 1, 0).astype(np.int16), int(per_cell.max())

    def __call__(self, values: np.ndarray) -> np.ndarray:
        values = np.clip(values, self.references[0], self.references[-1])  # NaN stays NaN
        place = self._searched(values) if len(values) < 64 else self._counted(values)
        return self.scores[place] + self.slopes[place] * (values - self.references[place])

    def _searched(self, values: np.ndarray) -> np.ndarray:
        place = np.searchsorted(self.references, values, side="right") - 1
        return np.clip(place, 0, len(self.references) - 1)

    def _counted(self, values: np.ndarray) -> np.ndarray:
        first, num_steps = self.table
        if num_steps > _MAX_STEPS:
            return self._searched(values)
        place = first[self._cells(values)].astype(np.intp)
        for _ in range(num_steps):
            place += self.next[place] <= values
        return place

    def _cells(self, values: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):
            bits = (values - self.middle).astype(np.float32).view(np.int32)
        bits ^= (bits >> 31) & 0x7FFFFFFF  # negative floats fall as their bits rise
        bits >>= 32 - _CELL_BITS
        bits += 2 ** (_CELL_BITS - 1)
        return bits


Scaling = LinearScale | LogScale | QuantileScale


def signed_log1p(values: np.ndarray) -> np.ndarray:
    """sign(x) log(1 + |x|).

    >>> signed_log1p(np.array([0.0, np.e - 1, 1 - np.e])).tolist()
    [0.0, 1.0, -1.0]
    """
    return np.copysign(np.log1p(np.abs(values)), values)


def scaling_to_dict(scaling: Scaling | None) -> dict[str, Any] | None:
    return (
        None
        if scaling is None
        else {"kind": scaling.kind, **{f.name: getattr(scaling, f.name) for f in fields(scaling)}}
    )


def scaling_from_dict(value: dict[str, Any] | None) -> Scaling | None:
    if value is None:
        return None
    rest: dict[str, Any] = {
        key: tuple(item) if isinstance(item, list) else item for key, item in value.items() if key != "kind"
    }
    kinds: dict[str, Any] = {kind.kind: kind for kind in (LinearScale, LogScale, QuantileScale)}
    return kinds[value["kind"]](**rest)
