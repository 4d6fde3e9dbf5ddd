"""The PyTorch loop in three levels: `fit_network`, `_epoch`, `_step`.

Rows are indexed from contiguous tensors; a DataLoader would cost more than the step it feeds. The order of rows
comes from the seed and the epoch's number alone, so a fit that goes on from a checkpoint sees what it would have seen.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import nn

from distml.batch import FeatureBatch
from distml.errors import TrainingError
from distml.metrics import Metric
from distml.models.base import ModelSpec
from distml.models.build import build_network
from distml.models.network import NetworkModel
from distml.training.augment import Augmenter
from distml.training.base import (
    EarlyStopping,
    EpochResult,
    FitResult,
    FitSettings,
    OnEpoch,
    training_rows,
    validation_score,
)
from distml.training.device import choose_device
from distml.training.rows import Rows


def fit_network(
    spec: ModelSpec,
    train: FeatureBatch,
    validation: FeatureBatch | None,
    metric: Metric,
    settings: FitSettings,
    on_epoch: OnEpoch,
) -> FitResult:
    """See `fit`."""
    torch.set_num_threads(settings.num_threads)
    torch.manual_seed(settings.seed)
    device = choose_device(settings.device)
    module = build_network(spec).to(device)
    optimizer = torch.optim.AdamW(module.parameters(), lr=spec.params["lr"], weight_decay=spec.params["weight_decay"])
    deck = _Deck(train, spec, device, settings)
    stopping = EarlyStopping(metric, settings.patience)
    best = _snapshot(module)
    told: list[EpochResult] = []
    state = settings.checkpoint.load() if settings.checkpoint is not None else None
    if state is not None:
        module.load_state_dict(state["module"])
        optimizer.load_state_dict(state["optimizer"])
        _set_random_state(state["rng"], device)
        stopping.best_score, stopping.best_epoch = state["best_score"], state["best_epoch"]
        best = state["best"]
        # Whoever listens may have been killed before it noted these.
        told = [EpochResult(**result) for result in state["epochs"]]
        for result in told:
            on_epoch(result)
    epoch = len(told)
    saved_at = time.monotonic()
    started = saved_at - (told[-1].seconds if told else 0.0)
    while epoch < settings.max_epochs and not (validation is not None and stopping.is_over(epoch)):
        epoch += 1
        loss = _epoch(module, optimizer, deck, epoch)
        score = None
        if validation is not None:
            prediction = NetworkModel(spec, module).predict(validation)
            score = validation_score(metric, training_rows(validation)[0], prediction, epoch)
            if stopping.update(epoch, score):
                best = _snapshot(module)
        result = EpochResult(
            epoch=epoch,
            train_loss=loss,
            score=score,
            best_score=None if score is None else stopping.best_score,
            best_epoch=stopping.best_epoch or epoch,
            seconds=time.monotonic() - started,
        )
        told.append(result)
        if settings.checkpoint is not None and time.monotonic() - saved_at >= settings.checkpoint_interval_s:
            settings.checkpoint.save(_state(module, optimizer, stopping, best, told, device))
            saved_at = time.monotonic()
        on_epoch(result)
    if validation is not None:
        module.load_state_dict(best)
    return FitResult(
        model=NetworkModel(spec, module.cpu()),
        best_epoch=stopping.best_epoch or epoch,
        best_score=None if validation is None else stopping.best_score,
        num_epochs=epoch,
    )


class _Deck:
    """The training rows on the device, dealt in shuffled mini-batches, varied if the settings say so."""

    def __init__(self, batch: FeatureBatch, spec: ModelSpec, device: torch.device, settings: FitSettings) -> None:
        self.rows = Rows.of(batch, tuple(spec.input.tensors), device)
        self.seed = settings.seed
        self.batch_size = auto_batch_size(len(batch)) if settings.batch_size == "auto" else settings.batch_size
        self.loss = nn.MSELoss(reduction="none") if spec.task == "regression" else nn.CrossEntropyLoss(reduction="none")
        self.is_regression = spec.task == "regression"
        self.augment = _augmenter(self.rows, spec, settings) if settings.augment.is_on else None

    def __len__(self) -> int:
        return len(self.rows)

    def batches(self, epoch: int) -> Iterator[Rows]:
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + epoch)
        order = torch.randperm(len(self), generator=generator).to(self.rows.device)
        for number, index in enumerate(order.split(self.batch_size)):
            rows = self.rows.take(index)
            yield rows if self.augment is None else self.augment(rows, epoch, number)


def _augmenter(rows: Rows, spec: ModelSpec, settings: FitSettings) -> Augmenter:
    return Augmenter(
        config=settings.augment,
        seed=settings.seed,
        means=rows.numeric.double().mean(dim=0).float(),
        fills={name: tensor.mean for name, tensor in spec.input.tensors.items()},
        num_classes=0 if spec.task == "regression" else spec.input.num_outputs,
    )


def auto_batch_size(num_rows: int) -> int:
    """About 100 steps an epoch, a power of two from 32 to 1024.

    >>> auto_batch_size(569), auto_batch_size(27_000), auto_batch_size(10_000_000)
    (32, 256, 1024)
    """
    return int(np.clip(2 ** round(math.log2(max(num_rows, 1) / 100)), 32, 1024))


def _epoch(module: nn.Module, optimizer: Any, deck: _Deck, epoch: int) -> float:
    """One pass over the rows; the mean training loss."""
    module.train()
    total = torch.zeros((), dtype=torch.float64, device=deck.rows.device)
    for rows in deck.batches(epoch):
        total += _step(module, optimizer, deck, rows) * len(rows)
    loss = float(total) / len(deck)
    if not math.isfinite(loss):
        raise TrainingError(
            "a training loss is a number",
            received=f"{loss} in epoch {epoch}",
            remedy="lower the learning rate, or scale the features",
        )
    return loss


def _step(module: nn.Module, optimizer: Any, deck: _Deck, rows: Rows) -> torch.Tensor:
    outputs = module(rows.numeric, rows.categorical, rows.tensors)  # [b, k]
    losses = deck.loss(outputs[:, 0] if deck.is_regression else outputs, rows.target)  # [b]
    loss = (losses * rows.weight).sum() / rows.weight.sum().clamp_min(1e-12)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(module.parameters(), 1.0)
    optimizer.step()
    return loss.detach()


def _snapshot(module: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in module.state_dict().items()}


def _state(
    module: nn.Module,
    optimizer: Any,
    stopping: EarlyStopping,
    best: dict[str, torch.Tensor],
    told: list[EpochResult],
    device: torch.device,
) -> dict[str, Any]:
    return {
        "module": module.state_dict(),
        "optimizer": optimizer.state_dict(),
        "rng": _random_state(device),
        "best": best,
        "best_score": stopping.best_score,
        "best_epoch": stopping.best_epoch,
        "epochs": [asdict(result) for result in told],
    }


def _random_state(device: torch.device) -> dict[str, torch.Tensor]:
    state = {"cpu": torch.get_rng_state()}
    return state | ({"cuda": torch.cuda.get_rng_state(device)} if device.type == "cuda" else {})


def _set_random_state(state: dict[str, torch.Tensor], device: torch.device) -> None:
    torch.set_rng_state(state["cpu"])
    if device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"], device)
