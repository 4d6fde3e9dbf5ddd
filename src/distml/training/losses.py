"""Losses by row, of networks' outputs.

A loss takes outputs [b, k], or [b, m, k] of m members of one network, and targets: int64 [b] class codes,
float32 [b, k] shares of classes, or float32 [b]. It gives float32 [b]; members' losses are averaged, so that each
learns as if it were alone.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn import functional

from distml.config.train import TrainConfig
from distml.models.base import ModelSpec
from distml.training.own_loss import OwnLoss

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def loss_for(spec: ModelSpec, config: TrainConfig) -> Loss:
    """The loss that a task and the config ask for, or the user's own."""
    if "loss" in spec.code:
        return by_member(OwnLoss(spec))
    if spec.task != "regression":
        smoothing = config.label_smoothing

        def cross_entropy(outputs: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
            return functional.cross_entropy(outputs, target, reduction="none", label_smoothing=smoothing)

        return by_member(cross_entropy)
    if config.loss == "huber":
        return by_member(lambda outputs, target: functional.huber_loss(outputs[:, 0], target, reduction="none"))
    return by_member(lambda outputs, target: functional.mse_loss(outputs[:, 0], target, reduction="none"))


def by_member(loss: Loss) -> Loss:
    """A loss of outputs [b, k] as one of outputs [b, m, k] too."""

    def losses(outputs: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        if outputs.ndim == 2:
            return loss(outputs, target)
        b, m, k = outputs.shape
        return loss(outputs.reshape(b * m, k), target.repeat_interleave(m, dim=0)).reshape(b, m).mean(dim=1)

    return losses
