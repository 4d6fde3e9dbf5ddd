"""`WarmStart`: what families begin with instead of chance. Loads no torch: tensors are NumPy arrays until a fit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from distml.training.base import FitSettings


def begins(name: str, prefixes: Iterable[str]) -> bool:
    """Whether a tensor's dotted name is one of some prefixes, or begins with one.

    >>> begins("blocks.0.weight", ["blocks.0"]), begins("blocks.01.weight", ["blocks.0"])
    (True, False)
    """
    return any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)


@dataclass(frozen=True, kw_only=True)
class WarmStart:
    """Weights by family and name of the tensor, and the prefixes of those that stay as they are."""

    weights: Mapping[str, Mapping[str, np.ndarray]]
    frozen: tuple[str, ...] = ()

    def over(self, settings: FitSettings, family: str) -> FitSettings:
        """The settings of a family's fit; as they are for one that there are no weights for."""
        if family not in self.weights:
            return settings
        import torch

        initial = {name: torch.tensor(array) for name, array in self.weights[family].items()}
        return replace(settings, initial=initial, frozen=self.frozen)
