"""How single columns become numbers: fitted state as frozen values, each with one vectorised `transform`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from distml.summary import as_numbers

MISSING, UNKNOWN = 0, 1  # the codes before a vocabulary's own
_TAIL = 1e-7  # quantile-normal outputs stay within about 5.2 standard deviations, as in scikit-learn


@dataclass(frozen=True, kw_only=True)
class StandardScale:
    """(x - center) / scale."""

    center: float
    scale: float
    kind: Literal["standard"] = "standard"

    def transform(self, values: np.ndarray) -> np.ndarray:
        return (values - self.center) / self.scale


@dataclass(frozen=True, kw_only=True)
class QuantileScale:
    """The normal score of a value's rank among reference quantiles: values ascending, ranks in [0, 1].

    Values between references are interpolated; one that repeats among them gets the middle of its ranks.
    """

    values: tuple[float, ...]
    ranks: tuple[float, ...]
    kind: Literal["quantile"] = "quantile"

    def __post_init__(self) -> None:
        # Kept beside the tuples because a request pays for the conversion otherwise.
        object.__setattr__(self, "_arrays", (np.asarray(self.values), np.asarray(self.ranks)))

    def transform(self, values: np.ndarray) -> np.ndarray:
        from scipy.special import ndtri

        references, ranks = self._arrays  # type: ignore[attr-defined]
        return ndtri(np.clip(np.interp(values, references, ranks), _TAIL, 1 - _TAIL))

    @classmethod
    def from_sample(cls, values: np.ndarray, num_quantiles: int = 1000) -> QuantileScale:
        """Reference quantiles of a sample, float64 [m]; ties are given the mean of their ranks."""
        ranks = np.linspace(0, 1, min(num_quantiles, max(len(values), 2)))
        references = np.quantile(values, ranks)
        distinct, inverse, counts = np.unique(references, return_inverse=True, return_counts=True)
        means = np.bincount(inverse, weights=ranks) / counts
        return cls(values=tuple(distinct.tolist()), ranks=tuple(means.tolist()))


Scaling = StandardScale | QuantileScale | None


@dataclass(frozen=True, kw_only=True)
class NumericTransform:
    """One number column: missing values filled (fill None keeps NaN), scaled, and marked if `indicator`."""

    column: str
    fill: float | None = None
    scaling: Scaling = None
    indicator: bool = False

    @property
    def width(self) -> int:
        return 2 if self.indicator else 1

    def transform(self, column: Any) -> list[np.ndarray]:
        """A pyarrow array as one or two float arrays [n]: values, then the 0/1 missing indicator."""
        values = as_numbers(column)
        missing = np.isnan(values)
        if self.fill is not None and missing.any():
            values = np.where(missing, self.fill, values)
        if self.scaling is not None:
            values = self.scaling.transform(values)
        return [values, missing.astype(np.float64)] if self.indicator else [values]


@dataclass(frozen=True, kw_only=True)
class CategoricalTransform:
    """One categorical column as codes: 0 missing, 1 unknown or rare, then the vocabulary in order."""

    column: str
    vocabulary: tuple[str, ...]

    def __post_init__(self) -> None:
        import pyarrow as pa

        object.__setattr__(self, "_known", pa.array(self.vocabulary, pa.string()))

    def __reduce__(self) -> tuple[Any, ...]:
        return _categorical, (self.column, self.vocabulary)

    @property
    def cardinality(self) -> int:
        """Codes in all, the two reserved ones included."""
        return len(self.vocabulary) + 2

    def transform(self, column: Any) -> np.ndarray:
        """A pyarrow array of texts as int64 codes [n]."""
        import pyarrow as pa
        import pyarrow.compute as pc

        place = pc.index_in(column, value_set=self._known)  # type: ignore[attr-defined]
        codes = pc.add(pc.cast(place, pa.int64()), 2).fill_null(UNKNOWN).to_numpy(zero_copy_only=False)
        if column.null_count:
            codes = np.where(column.is_null().to_numpy(zero_copy_only=False), MISSING, codes)
        return codes


def _categorical(column: str, vocabulary: tuple[str, ...]) -> CategoricalTransform:
    return CategoricalTransform(column=column, vocabulary=vocabulary)
