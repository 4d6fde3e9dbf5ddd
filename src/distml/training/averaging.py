"""Averages of a network's weights along a fit, which are then what is validated and kept."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, update_bn

from distml.config.train import AveragingConfig
from distml.training.rows import Rows


class Averaging:
    """Exponential, after every step; or stochastic weight averaging (Izmailov et al. 2018), after every epoch from one
    on."""

    def __init__(self, config: AveragingConfig, module: nn.Module) -> None:
        self.config = config
        self._live = module
        update = None if config.ema is None else get_ema_multi_avg_fn(config.ema)
        self._averaged = AveragedModel(module, multi_avg_fn=update)
        self._is_normalising = any(isinstance(part, nn.modules.batchnorm._BatchNorm) for part in module.modules())

    @property
    def module(self) -> nn.Module:
        """The network with averaged weights; the live one before averaging begins."""
        return self._averaged.module if int(self._averaged.n_averaged) else self._live

    def after_step(self) -> None:
        if self.config.ema is not None:
            self._averaged.update_parameters(self._live)

    def after_epoch(self, number: int, rows: Iterable[Rows]) -> None:
        """rows: the training rows in parts. Running statistics are of other weights than the averaged ones, so those
        of batch normalisation are taken anew."""
        if self.config.swa is not None and number >= self.config.swa:
            self._averaged.update_parameters(self._live)
        if self._is_normalising and self.module is not self._live:
            update_bn(rows, _OnRows(self._averaged.module))

    def state(self) -> dict[str, Any]:
        return self._averaged.state_dict()

    def load_state(self, state: dict[str, Any]) -> None:
        self._averaged.load_state_dict(state)


class _OnRows(nn.Module):
    """A network as `update_bn` calls one, with a single argument."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, rows: Rows) -> torch.Tensor:
        return self.module(rows.numeric, rows.categorical, rows.tensors)
