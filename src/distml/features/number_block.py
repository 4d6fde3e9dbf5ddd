"""Columns of numbers of few JSON rows, checked and transformed all at once: a call for each would cost the most.

Only where nothing is special about a column: any number within two ends is usual, and it becomes one number.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from operator import itemgetter
from types import NoneType
from typing import Any

import numpy as np

from distml.features.numeric import NumericTransform
from distml.features.plain import EXACT, Unusual
from distml.features.transforms import LIMIT
from distml.scaling import ScalesTogether

_LARGEST = float(np.finfo(np.float64).max)
_NUMBERS = {float, int, NoneType}


class NumberBlock:
    """The columns of m transforms without bins, at least one."""

    def __init__(
        self,
        transforms: Sequence[NumericTransform],
        places: Sequence[int],
        ends: Sequence[tuple[float, float]],
    ) -> None:
        """places: of each transform's first column in the output; ends: of what is usual in a column."""
        self._values_of = _getter([t.column for t in transforms])
        self._least = np.array([max(low, -_LARGEST) for low, _ in ends])
        self._most = np.array([min(high, _LARGEST) for _, high in ends])
        self._fill = np.array([math.nan if t.fill is None else t.fill for t in transforms])
        self._low = np.array([-math.inf if t.low is None else t.low for t in transforms])
        self._high = np.array([math.inf if t.high is None else t.high for t in transforms])
        self._is_bounded = bool(np.isfinite(self._low).any() or np.isfinite(self._high).any())
        self._scales = ScalesTogether([t.scaling for t in transforms])
        self._places = _slice_of(places)
        self._marked = [i for i, t in enumerate(transforms) if t.indicator]
        self._marks = [places[i] + 1 for i in self._marked]

    def read(self, records: Sequence[Mapping[str, Any]]) -> np.ndarray:
        """The rows' numbers, float64 [n, m], NaN where null; `Unusual` where cleaning has to see one of them."""
        rows = list(map(self._values_of, records))
        kinds = set(map(type, chain.from_iterable(rows)))
        if not kinds <= _NUMBERS:
            raise Unusual
        try:
            values = np.array(rows, float)
        except OverflowError:
            raise Unusual from None
        self._check(values, rows, kinds)
        return values

    def _check(self, values: np.ndarray, rows: list[tuple[Any, ...]], kinds: set[type]) -> None:
        num_null = sum(row.count(None) for row in rows) if NoneType in kinds else 0
        if np.count_nonzero(values != values) != num_null:
            raise Unusual
        if np.count_nonzero(values < self._least) or np.count_nonzero(values > self._most):
            raise Unusual
        if int in kinds and np.count_nonzero(abs(values) >= EXACT):
            raise Unusual  # perhaps a whole number that was rounded

    def write(self, values: np.ndarray, out: np.ndarray) -> None:
        """Fills the transforms' columns of out [n, width] from what `read` gave, as each would by itself."""
        missing = values != values
        if self._marked:
            out[:, self._marks] = missing[:, self._marked]
        values = np.where(missing, self._fill, values)
        if self._is_bounded:
            values = np.where(values < self._low, self._low, values)
            values = np.where(values > self._high, self._high, values)
        out[:, self._places] = self._scales.transform(values).clip(-LIMIT, LIMIT)


def _getter(names: list[str]) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
    if len(names) > 1:
        return itemgetter(*names)
    (name,) = names
    return lambda record: (record[name],)


def _slice_of(places: Sequence[int]) -> slice | list[int]:
    """Places that follow each other as a slice, which is sooner written to."""
    is_run = list(places) == list(range(places[0], places[0] + len(places)))
    return slice(places[0], places[0] + len(places)) if is_run else list(places)
