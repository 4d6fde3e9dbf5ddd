"""The PyTorch loop: `NetworkLearner`, whose levels `epoch`, `step` and `gradients` can each be replaced in a subclass.

What is random in an epoch follows from the seed and its number: the order of rows, augmentation, dropout.
"""

from __future__ import annotations

import math
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from torch import nn

from distml.batch import FeatureBatch
from distml.models.base import Model, ModelSpec
from distml.models.build import build_network, learned
from distml.models.network import NetworkModel
from distml.training.base import FitSettings, Notes
from distml.training.deck import Deck
from distml.training.device import choose_device
from distml.training.divergence import no_number
from distml.training.initial import begin_with, to_training
from distml.training.losses import loss_for
from distml.training.rows import Rows


class NetworkLearner:
    """Implements `Learner`."""

    def __init__(self, spec: ModelSpec, train: FeatureBatch, settings: FitSettings, notes: Notes) -> None:
        torch.set_num_threads(settings.num_threads)
        torch.manual_seed(settings.seed)
        self.spec = learned(spec, train)
        self.config = settings.config
        self.seed = settings.seed
        self.notes = notes
        self.device = choose_device(self.config.device)
        self.module: nn.Module = build_network(self.spec)
        begin_with(self.module, settings, notes)
        self.module.to(self.device)
        self.frozen = settings.frozen
        self.deck = Deck(train, self.spec, self.device, settings)
        self.loss = loss_for(self.spec, self.config)
        self.optimizer = torch.optim.AdamW(
            self.module.parameters(), lr=spec.params["lr"], weight_decay=spec.params["weight_decay"]
        )
        self._kept: dict[str, torch.Tensor] | None = None

    def epoch(self, number: int) -> float:
        """One pass over the rows; the mean training loss."""
        torch.manual_seed(self.seed * 1_000_003 + number)
        to_training(self.module, self.frozen)
        total = torch.zeros((), dtype=torch.float64, device=self.device)
        for rows in self.deck.steps(number):
            total += self.step(rows) * len(rows)
        loss = float(total) / len(self.deck)
        if not math.isfinite(loss):
            raise no_number(number, loss, self.spec.params.get("lr"))
        return loss

    def step(self, rows: Rows) -> torch.Tensor:
        """One step of the optimizer; the mean loss of its rows, a scalar on the device."""
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.gradients(rows)
        nn.utils.clip_grad_norm_(self.module.parameters(), 1.0)
        self.optimizer.step()
        return loss

    def gradients(self, rows: Rows) -> torch.Tensor:
        """Adds the gradients of the rows' mean loss, by weight, to the parameters'; the loss."""
        outputs = self.module(rows.numeric, rows.categorical, rows.tensors)
        losses = self.loss(outputs, rows.target)  # [b]
        loss = (losses * rows.weight).sum() / rows.weight.sum().clamp_min(1e-12)
        loss.backward()
        return loss.detach()

    def predict(self, batch: FeatureBatch) -> np.ndarray:
        return NetworkModel(self.spec, self.module).predict(batch)

    def keep(self) -> None:
        self._kept = _snapshot(self.module)

    def model(self) -> Model:
        module = deepcopy(self.module).cpu()
        if self._kept is not None:
            module.load_state_dict(self._kept)
        return NetworkModel(self.spec, module)

    def state(self) -> dict[str, Any]:
        return {"module": self.module.state_dict(), "optimizer": self.optimizer.state_dict(), "kept": self._kept}

    def load_state(self, state: dict[str, Any]) -> None:
        own = [(group["lr"], group["weight_decay"]) for group in self.optimizer.param_groups]
        self.module.load_state_dict(state["module"])
        self.optimizer.load_state_dict(state["optimizer"])
        for group, (lr, weight_decay) in zip(self.optimizer.param_groups, own, strict=True):
            group["lr"], group["weight_decay"] = lr, weight_decay
        self._kept = state["kept"]


def _snapshot(module: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in module.state_dict().items()}
