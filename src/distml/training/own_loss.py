"""`model.loss`: a loss of the user's own, for any network."""

from __future__ import annotations

import torch

from distml import code
from distml.errors import CodeError
from distml.models.base import ModelSpec
from distml.models.own import function_of, place_of

KEY = "loss"


class OwnLoss:
    """(outputs [b, k], target [b]) -> losses [b], as the user's function gives them.

    Raises `CodeError` where it raises, or gives anything but a differentiable number for each row.
    """

    def __init__(self, spec: ModelSpec) -> None:
        self._function = function_of(spec, KEY)
        self._ref = spec.code[KEY]

    def __call__(self, outputs: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        try:
            losses = self._function(outputs, target)
        except Exception as error:
            received = code.told(error, self._ref.module)
            raise self._refused(received, f"correct it there, for outputs {list(outputs.shape)}") from error
        if not isinstance(losses, torch.Tensor) or losses.shape != target.shape:
            shape = list(losses.shape) if isinstance(losses, torch.Tensor) else type(losses).__name__
            raise self._refused(f"{shape} for {len(target)} rows", "leave out the mean over the rows")
        if outputs.requires_grad and not losses.requires_grad:
            raise self._refused("losses without a gradient", "compute them with torch from the outputs")
        return losses

    def _refused(self, received: str, remedy: str) -> CodeError:
        where = f"{place_of(KEY)} {self._ref.dotted}"
        return CodeError("a loss of your own gives each row's loss", received=received, where=where, remedy=remedy)
