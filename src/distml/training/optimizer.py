"""AdamW over a network's parameter groups, its learning rates set from outside at every step."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from distml.models.base import Params
from distml.models.network import parameter_groups

_OWN = ("peak", "weight_decay")  # what a spec says, whatever a state that is loaded says


class Optimizer:
    """Loshchilov and Hutter (2019). Parameters that are frozen are left out; rates are shares of each group's own.

    scaler: what keeps gradients of 16 bits from vanishing, where there are any.
    """

    def __init__(self, module: nn.Module, params: Params, scaler: torch.amp.GradScaler) -> None:
        groups = []
        for group in parameter_groups(module):
            trained = [parameter for parameter in group["params"] if parameter.requires_grad]
            if trained:
                peak, decay = group.get("lr", params["lr"]), group.get("weight_decay", params["weight_decay"])
                groups.append({**group, "params": trained, "peak": peak, "lr": peak, "weight_decay": decay})
        self._parameters = [parameter for group in groups for parameter in group["params"]]
        # One kernel for all parameters: a tenth of a small network's step.
        self._adamw = torch.optim.AdamW(groups, fused=True)
        self._scaler = scaler

    @property
    def rate(self) -> float:
        """The learning rate of the first group."""
        return float(self._adamw.param_groups[0]["lr"])

    def set_rate(self, share: float) -> None:
        for group in self._adamw.param_groups:
            group["lr"] = group["peak"] * share

    def zero_grad(self) -> None:
        self._adamw.zero_grad(set_to_none=True)

    def backward(self, loss: torch.Tensor) -> None:
        """Adds a loss's gradients to those that there are."""
        self._scaler.scale(loss).backward()

    def step(self, clip_norm: float | None) -> None:
        if clip_norm is not None:
            self._scaler.unscale_(self._adamw)
            nn.utils.clip_grad_norm_(self._parameters, clip_norm)
        self._scaler.step(self._adamw)
        self._scaler.update()

    def state(self) -> dict[str, Any]:
        return {"adamw": self._adamw.state_dict(), "scaler": self._scaler.state_dict()}

    def load_state(self, state: dict[str, Any]) -> None:
        """Takes over moments and counts; rates and decay stay this optimizer's own."""
        own = [{name: group[name] for name in _OWN} for group in self._adamw.param_groups]
        self._adamw.load_state_dict(state["adamw"])
        for group, values in zip(self._adamw.param_groups, own, strict=True):
            group.update(values)
        self._scaler.load_state_dict(state["scaler"])
