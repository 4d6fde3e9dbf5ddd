"""Numbers: filled, clipped, scaled or spread over bins, and marked where they were missing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from distml.features.transforms import Transform, frozen, share_names, within_float32
from distml.scaling import Scaling, scaling_from_dict, scaling_to_dict
from distml.summary import as_numbers


@dataclass(frozen=True, kw_only=True)
class NumericTransform(Transform):
    """One number or datetime column: missing values filled (fill None keeps NaN), moved within bounds, then scaled,
    or, where there are `edges`, encoded piecewise-linearly; and a 0/1 column of what was missing if `indicator`."""

    suffix: str = ""
    fill: float | None = None
    low: float | None = None
    high: float | None = None
    scaling: Scaling | None = None
    edges: tuple[float, ...] = ()
    indicator: bool = False
    kind: ClassVar[str] = "numeric"

    @property
    def names(self) -> tuple[str, ...]:
        name = f"{self.column}{self.suffix}"
        own = share_names(name, self.edges) if self.edges else (name,)
        return (*own, f"{self.column}_missing") if self.indicator else own

    @property
    def width(self) -> int:
        return max(len(self.edges) - 1, 1) + self.indicator

    def read(self, column: Any) -> np.ndarray:
        return as_numbers(column)

    def read_few(self, values: Sequence[Any]) -> np.ndarray:
        if not isinstance(values, list):
            return self.read(values)
        return np.array([math.nan if value is None else value for value in values], float)

    def write(self, values: np.ndarray, out: np.ndarray) -> None:
        missing = np.isnan(values)
        if self.indicator:
            out[:, -1] = missing
        if self.fill is not None and missing.any():
            values = np.where(missing, self.fill, values)
        if self.low is not None or self.high is not None:
            # Both ends, as numpy takes zeros of either sign otherwise where it has one alone.
            low, high = -math.inf if self.low is None else self.low, math.inf if self.high is None else self.high
            values = np.clip(values, low, high)
        if self.edges:
            piecewise_linear(values, self.edges, out)
        else:
            out[:, 0] = within_float32(values if self.scaling is None else self.scaling.transform(values))

    def to_dict(self) -> dict[str, Any]:
        return {"kind": self.kind, **self._fields(), "scaling": scaling_to_dict(self.scaling)}

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> NumericTransform:
        rest = {key: frozen(item) for key, item in value.items() if key not in ("kind", "scaling")}
        return cls(**rest, scaling=scaling_from_dict(value["scaling"]))


def piecewise_linear(values: np.ndarray, edges: tuple[float, ...], out: np.ndarray) -> None:
    """Gorishniy et al. (2022), equation 1: how far a value [n] is through each of b bins, into `out` [n, >= b].

    A bin below the value's own is 1, one above it 0. The first bin goes on below 0 and the last one above 1.
    """
    last = len(edges) - 2
    for i in range(last + 1):
        share = (values - edges[i]) / (edges[i + 1] - edges[i])
        out[:, i] = within_float32(np.clip(share, None if i == 0 else 0.0, None if i == last else 1.0))
