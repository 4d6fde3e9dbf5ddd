"""`FeatureBatch`: rows as a model takes them. Arrays only; it knows nothing of tables, torch or Ray."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True, kw_only=True)
class FeatureBatch:
    """n rows of model input.

    numeric: float32 [n, f], NaN where a recipe keeps missing values; categorical: int64 [n, c], 0 missing, 1 unknown,
    then the vocabulary; tensors: named arrays [n, ...]; target: int64 [n] class codes or float32 [n];
    weight: float32 [n]; rows: uint64 [n], the row hashes; fold: int8 [n], where rows are dealt to folds.
    """

    numeric: np.ndarray
    categorical: np.ndarray
    tensors: dict[str, np.ndarray] = field(default_factory=dict)
    target: np.ndarray | None = None
    weight: np.ndarray | None = None
    rows: np.ndarray | None = None
    fold: np.ndarray | None = None

    def __post_init__(self) -> None:
        lengths = {name: len(array) for name, array in self.arrays().items()}
        assert len(set(lengths.values())) == 1, f"arrays of different length: {lengths}"

    def __len__(self) -> int:
        return len(self.numeric)

    def arrays(self) -> dict[str, np.ndarray]:
        """The arrays by name, tensors as `tensor.NAME`, absent ones left out."""
        named = {name: getattr(self, name) for name in ("numeric", "categorical", "target", "weight", "rows", "fold")}
        named |= {f"tensor.{name}": array for name, array in self.tensors.items()}
        return {name: array for name, array in named.items() if array is not None}

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> FeatureBatch:
        """The inverse of `arrays`."""
        tensors = {name.removeprefix("tensor."): a for name, a in arrays.items() if name.startswith("tensor.")}
        rest = {name: array for name, array in arrays.items() if not name.startswith("tensor.")}
        return cls(tensors=tensors, **rest)

    def take(self, index: Any) -> FeatureBatch:
        """The rows at an index array, mask or slice."""
        return self.from_arrays({name: array[index] for name, array in self.arrays().items()})

    @classmethod
    def concat(cls, batches: Sequence[FeatureBatch]) -> FeatureBatch:
        """The rows of several batches with the same arrays, in order."""
        assert batches, "nothing to concatenate"
        if len(batches) == 1:
            return batches[0]
        names = batches[0].arrays()
        parts = [batch.arrays() for batch in batches]
        return cls.from_arrays({name: np.concatenate([part[name] for part in parts]) for name in names})

    def to_bytes(self) -> bytes:
        """One safetensors file: a JSON header and raw arrays, no code; codes in as few bytes as hold them."""
        from safetensors.numpy import save

        arrays = {name: _narrowed(array) if name in _CODES else array for name, array in self.arrays().items()}
        return save({name: np.ascontiguousarray(array) for name, array in arrays.items()})

    @classmethod
    def from_bytes(cls, content: bytes) -> FeatureBatch:
        from safetensors.numpy import load

        arrays = load(content)
        return cls.from_arrays({name: _widened(array) if name in _CODES else array for name, array in arrays.items()})


_CODES = ("categorical", "target")


def _narrowed(array: np.ndarray) -> np.ndarray:
    """Codes, int64, as the narrowest unsigned type that holds them; other numbers as they are."""
    if array.dtype != np.int64:
        return array
    return array.astype(np.min_scalar_type(int(array.max(initial=0))))


def _widened(array: np.ndarray) -> np.ndarray:
    return array.astype(np.int64) if array.dtype.kind == "u" else array


@dataclass(frozen=True, kw_only=True)
class TensorSpec:
    """Images of a column: their shape, and each channel's mean and standard deviation over the training rows."""

    shape: tuple[int, int, int]  # ch, h, w
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def size(self) -> int:
        """Numbers in one of them."""
        return math.prod(self.shape)


@dataclass(frozen=True, kw_only=True)
class InputSpec:
    """What a model must expect of a batch, and how many numbers it answers with per row."""

    num_numeric: int
    cardinalities: tuple[int, ...]  # codes per categorical column, the two reserved ones included
    num_outputs: int  # classes, or 1 for regression
    tensors: Mapping[str, TensorSpec] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # In the order of their names: a model is built from JSON again, and must flatten them in the same order.
        object.__setattr__(self, "tensors", dict(sorted(self.tensors.items())))

    @property
    def num_pixels(self) -> int:
        """Numbers in a row's tensors."""
        return sum(tensor.size for tensor in self.tensors.values())
