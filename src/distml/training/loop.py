"""The PyTorch loop: `NetworkLearner`, whose levels `epoch`, `step` and `gradients` can each be replaced in a subclass.

What is random in an epoch follows from the seed and its number: the order of rows, augmentation, dropout.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from torch import nn

from distml.batch import FeatureBatch
from distml.errors import TrainingError
from distml.models.base import Model, ModelSpec
from distml.models.build import build_network
from distml.models.network import NetworkModel
from distml.training import seeds
from distml.training.averaging import Averaging
from distml.training.base import FitSettings, Notes
from distml.training.device import choose_device
from distml.training.divergence import no_number
from distml.training.initial import begin_with, to_training
from distml.training.losses import loss_for
from distml.training.optimizer import Optimizer
from distml.training.precision import choose_precision
from distml.training.rows import Rows
from distml.training.schedule import rate
from distml.training.stream import Dealing, TrainingRows, deal, with_learned


class NetworkLearner:
    """Implements `Learner`."""

    def __init__(self, spec: ModelSpec, train: TrainingRows, settings: FitSettings, notes: Notes) -> None:
        torch.set_num_threads(settings.num_threads)
        torch.manual_seed(settings.seed)
        self.config = settings.config
        self.seed = settings.seed
        self.frozen = settings.frozen
        self.notes = notes
        self.device = choose_device(self.config.device)
        self.precision = choose_precision(self.config.precision, self.device)
        if self.precision.name != "float32":
            notes(f"precision: {self.precision.name} on {self.precision.device}")
        self.spec = with_learned(spec, train)
        self.module: nn.Module = build_network(self.spec)
        begin_with(self.module, settings, notes)
        self.module.to(self.device)
        self.compiled: Callable[..., torch.Tensor] | None = torch.compile(self.module) if self.config.compile else None
        self.optimizer = Optimizer(self.module, spec.params, self.precision.scaler())
        self.averaging = Averaging(self.config.averaging, self.module) if self.config.averaging is not None else None
        self.loss = loss_for(self.spec, self.config)
        self.deck: Dealing = deal(train, self.spec, self.device, settings)
        self.rows_at_once = self.deck.batch_size
        self._has_halved = False
        self._step = 0  # the number of the next one, over the whole fit
        self._losses: list[float] = []
        self._kept: dict[str, torch.Tensor] | None = None

    def epoch(self, number: int) -> float:
        """One pass over the rows; the mean training loss."""
        torch.manual_seed(seeds.of_epoch(self.seed, number))
        to_training(self.module, self.frozen)
        self._step = (number - 1) * self.deck.num_steps
        # Nothing is read back from the device before the epoch's end, so that it never waits for Python.
        losses, sizes = zip(*((self.step(rows), len(rows)) for rows in self.deck.steps(number)), strict=True)
        loss = float(torch.stack(losses).double().cpu() @ torch.tensor(sizes).double()) / len(self.deck)
        if not math.isfinite(loss):
            raise no_number(number, loss, self.optimizer.rate)
        self._losses.append(loss)
        if self.averaging is not None:
            self.averaging.after_epoch(number, self.deck.parts())
        return loss

    def step(self, rows: Rows) -> torch.Tensor:
        """One step of the optimizer; the mean loss of its rows, a scalar on the device."""
        self.optimizer.set_rate(rate(self.config, self._step, self.deck.num_steps, self._losses))
        self._step += 1
        self.optimizer.zero_grad()
        loss = self.gradients(rows)
        self.optimizer.step(self.config.clip_norm)
        if self.averaging is not None:
            self.averaging.after_step()
        return loss

    def gradients(self, rows: Rows) -> torch.Tensor:
        """Sets the parameters' gradients to those of the rows' mean loss by weight; the loss.

        Where memory runs out, once in a fit, the rows are taken in twice as many parts from there on: less is held at
        once, and what is learnt stays the same. Where torch.compile fails, the fit goes on without it.
        """
        try:
            return self._gradients(rows)
        except torch.OutOfMemoryError as error:
            self._halve(error)
        except Exception as error:
            if self.compiled is None:
                raise
            self.compiled = None
            self.notes(f"train.compile: goes on uncompiled, as torch.compile failed: {_in_a_line(error)}")
        # Outside of `except`, whose error would hold on to the tensors of the attempt.
        self.optimizer.zero_grad()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        return NetworkLearner.gradients(self, rows)  # what a subclass does around it is around all attempts

    def parts(self, rows: Rows) -> Iterable[Rows]:
        """A step's rows as this process takes them, one part after another."""
        return rows.parts(self.rows_at_once)

    def predict(self, batch: FeatureBatch) -> np.ndarray:
        try:
            return NetworkModel(self.spec, self._present).predict(batch)
        except torch.OutOfMemoryError as error:
            raise _out_of_memory(error, f"{len(batch)} validation rows") from error

    def keep(self) -> None:
        self._kept = {name: value.detach().clone() for name, value in self._present.state_dict().items()}

    def model(self) -> Model:
        module = deepcopy(self._present).cpu()
        if self._kept is not None:
            module.load_state_dict(self._kept)
        return NetworkModel(self.spec, module)

    def state(self) -> dict[str, Any]:
        return {
            "module": self.module.state_dict(),
            "optimizer": self.optimizer.state(),
            "averaging": None if self.averaging is None else self.averaging.state(),
            "kept": self._kept,
            "losses": list(self._losses),
            "halved": self._has_halved,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        self.module.load_state_dict(state["module"])
        self.optimizer.load_state(state["optimizer"])
        if self.averaging is not None:
            self.averaging.load_state(state["averaging"])
        self._kept = state["kept"]
        self._losses = list(state["losses"])
        if state["halved"] and not self._has_halved:
            self._has_halved, self.rows_at_once = True, max(1, self.rows_at_once // 2)

    @property
    def _present(self) -> nn.Module:
        """The network that is validated and kept."""
        return self.module if self.averaging is None else self.averaging.module

    def _gradients(self, rows: Rows) -> torch.Tensor:
        forward = self.module if self.compiled is None else self.compiled
        weight = rows.weight.sum().clamp_min(1e-12) if self.deck.is_weighted else max(len(rows), 1)
        losses = []
        for part in self.parts(rows):
            with self.precision.cast():
                outputs = forward(part.numeric, part.categorical, part.tensors)
                by_row = self.loss(outputs, part.target)  # [b]
            loss = (by_row * part.weight if self.deck.is_weighted else by_row).sum() / weight
            self.optimizer.backward(loss)
            losses.append(loss.detach())
        return losses[0] if len(losses) == 1 else torch.stack(losses).sum()

    def _halve(self, error: torch.OutOfMemoryError) -> None:
        if self._has_halved or self.rows_at_once == 1:
            raise _out_of_memory(error, f"batches of {self.rows_at_once} rows") from error
        self._has_halved, self.rows_at_once = True, max(1, self.rows_at_once // 2)
        self.notes(
            f"memory ran out: batches of {self.rows_at_once} rows at once from here on, "
            f"with {self.deck.step_size} rows to a step as before"
        )


def _out_of_memory(error: torch.OutOfMemoryError, with_what: str) -> TrainingError:
    return TrainingError(
        "a fit's batches fit into memory",
        received=f"{with_what}: {_in_a_line(error)}",
        remedy="set a smaller train.batch_size (and train.accumulate, to keep the rows of a step), or a smaller model",
    )


def _in_a_line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
