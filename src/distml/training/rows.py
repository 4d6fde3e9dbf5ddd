"""`Rows`: training rows as tensors, as a network's step takes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from distml.batch import FeatureBatch
from distml.training.base import training_rows


@dataclass(frozen=True, kw_only=True)
class Rows:
    """numeric: float32 [n, f]; categorical: int64 [n, c]; tensors: name -> pixels 0 to 255, uint8 or float32
    [n, ch, h, w]; target: int64 [n] class codes, float32 [n, k] shares of classes, or float32 [n]; weight: float32 [n].
    """

    numeric: torch.Tensor
    categorical: torch.Tensor
    tensors: dict[str, torch.Tensor]
    target: torch.Tensor
    weight: torch.Tensor

    @classmethod
    def of(cls, batch: FeatureBatch, names: tuple[str, ...], device: torch.device) -> Rows:
        """A batch's rows on a device, with those of its tensors that are named."""
        target, weight = training_rows(batch)
        return cls(
            numeric=_as_tensor(batch.numeric),
            categorical=_as_tensor(batch.categorical),
            tensors={name: _as_tensor(batch.tensors[name]) for name in names},
            target=_as_tensor(target),
            weight=_as_tensor(weight),
        ).map(lambda tensor: tensor.to(device))

    def __len__(self) -> int:
        return len(self.numeric)

    @property
    def device(self) -> torch.device:
        return self.numeric.device

    def map(self, function: Callable[[torch.Tensor], torch.Tensor]) -> Rows:
        """Every tensor through a function."""
        return Rows(
            numeric=function(self.numeric),
            categorical=function(self.categorical),
            tensors={name: function(tensor) for name, tensor in self.tensors.items()},
            target=function(self.target),
            weight=function(self.weight),
        )

    @classmethod
    def concat(cls, parts: Sequence[Rows]) -> Rows:
        """The rows of several parts, in order."""
        first, *others = parts
        if not others:
            return first
        return cls(
            numeric=torch.cat([part.numeric for part in parts]),
            categorical=torch.cat([part.categorical for part in parts]),
            tensors={name: torch.cat([part.tensors[name] for part in parts]) for name in first.tensors},
            target=torch.cat([part.target for part in parts]),
            weight=torch.cat([part.weight for part in parts]),
        )

    def take(self, index: torch.Tensor) -> Rows:
        return self.map(lambda tensor: tensor.index_select(0, index))

    def parts(self, size: int) -> Iterator[Rows]:
        """The rows in their order, so many at a time."""
        if len(self) <= size:
            yield self
            return
        for cut in cuts(len(self), size):
            yield self.map(lambda tensor, cut=cut: tensor[cut])  # type: ignore[misc]


def cuts(num_rows: int, size: int) -> list[slice]:
    """Where so many rows are cut into parts of a size. A single row that is left over goes with the part before:
    batch normalisation can make nothing of one.

    >>> [cut.stop for cut in cuts(10, 4)], [cut.stop for cut in cuts(9, 4)], [cut.stop for cut in cuts(3, 1)]
    ([4, 8, 10], [4, 9], [1, 2, 3])
    """
    ends = [*range(size, num_rows, size), num_rows]
    if 1 < size < num_rows and num_rows % size == 1:
        del ends[-2]
    return [slice(start, end) for start, end in zip([0, *ends[:-1]], ends, strict=True)]


def _as_tensor(array: np.ndarray) -> torch.Tensor:
    """Arrays from a shared object store are read-only; they are only ever indexed."""
    import warnings

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(np.ascontiguousarray(array))
