"""Batch normalisation over the rows of all workers of a group, as one worker would normalise them.

torch's own `SyncBatchNorm` refuses a CPU. This one sums over workers by the group's own message.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from distml.training.group import Group


class SharedBatchNorm(nn.modules.batchnorm._BatchNorm):
    """As the layer that it replaces, whose parameters and running statistics it takes over, names included."""

    def __init__(self, layer: nn.modules.batchnorm._BatchNorm, group: Group) -> None:
        super().__init__(layer.num_features, layer.eps, layer.momentum, layer.affine, layer.track_running_stats)
        self._parameters, self._buffers = layer._parameters, layer._buffers
        self.group = group

    def _check_input_dim(self, input: torch.Tensor) -> None:  # noqa: A002
        """Any number of axes: the layer before took what came."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:  # noqa: A002
        """input: [n, c, ...], this worker's rows of a step."""
        if not self.training:
            return super().forward(input)
        axes = [axis for axis in range(input.ndim) if axis != 1]
        shape = [-1 if axis == 1 else 1 for axis in range(input.ndim)]
        ones = input.new_full((1,), input.numel() / self.num_features)
        sums = _SumOfAll.apply(torch.cat([input.sum(axes), ones]), self.group)
        count = sums[-1].detach()
        mean = sums[:-1] / count
        centred = input - mean.view(shape)
        variance = _SumOfAll.apply((centred * centred).sum(axes), self.group) / count
        self._follow(mean.detach(), variance.detach() * count / (count - 1))
        normal = centred * torch.rsqrt(variance + self.eps).view(shape)
        return normal * self.weight.view(shape) + self.bias.view(shape) if self.affine else normal

    def _follow(self, mean: torch.Tensor, variance: torch.Tensor) -> None:
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked.add_(1)
        weight = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, weight)
        self.running_var.lerp_(variance, weight)


def share_batch_norms(module: nn.Module, group: Group) -> nn.Module:
    """The module with every batch normalisation replaced; its parameters stay the same objects."""
    if isinstance(module, nn.modules.batchnorm._BatchNorm):
        return SharedBatchNorm(module, group)
    for name, child in module.named_children():
        setattr(module, name, share_batch_norms(child, group))
    return module


class _SumOfAll(torch.autograd.Function):
    """A tensor summed over workers. What its gradient is on one worker depends on it on all of them."""

    @staticmethod
    def forward(context: Any, values: torch.Tensor, group: Group) -> torch.Tensor:
        context.group = group
        summed = values.clone()
        group.sum([summed])
        return summed

    @staticmethod
    def backward(context: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        summed = gradient.clone()
        context.group.sum([summed])
        return summed, None
