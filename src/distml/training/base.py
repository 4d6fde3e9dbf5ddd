"""What every fit has: settings, results by epoch, the rule that ends it. It knows nothing of trials, Ray or MLflow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from distml.batch import FeatureBatch
from distml.config.augment import AugmentConfig
from distml.config.train import TrainConfig
from distml.errors import TrainingError
from distml.metrics import Metric
from distml.models.base import Model
from distml.training.checkpoint import Checkpoint

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, kw_only=True)
class FitSettings:
    """How long and with what a fit runs; what it fits is in the `ModelSpec`."""

    config: TrainConfig = field(default_factory=TrainConfig)
    seed: int = 0
    augment: AugmentConfig = field(default_factory=AugmentConfig)  # of a network's training rows
    num_threads: int = 1
    until_epoch: int | None = None
    """The last epoch, where it comes before `config.max_epochs`; schedules reach to that all the same."""
    checkpoint: Checkpoint | None = None
    """To go on from if there is a state, and to write to."""
    begin_from: Checkpoint | None = None
    """Another fit's last state, to begin from where `checkpoint` has none: its weights and its optimizer's state, but
    with the spec's own learning rate and decay. Its epochs count and aren't told again; the best is looked for anew."""
    keeps_last: bool = False
    """Write the state at the end as well, for another fit to begin from."""
    initial: Mapping[str, torch.Tensor] | None = None
    """Weights that a network begins with, by name; see `training.initial`."""
    frozen: tuple[str, ...] = ()
    """Prefixes of the names of weights that stay as they begin."""

    @property
    def num_epochs(self) -> int:
        """How many epochs there are at most."""
        return min(self.until_epoch or self.config.max_epochs, self.config.max_epochs)


@dataclass(frozen=True, kw_only=True)
class EpochResult:
    """What an epoch came to: `score` on the validation rows, None without any."""

    epoch: int  # from 1
    train_loss: float
    score: float | None
    best_score: float | None
    best_epoch: int
    seconds: float


OnEpoch = Callable[[EpochResult], bool | None]
"""Hears of an epoch; False ends the fit there, with the best so far."""
OnNote = Callable[[str], None]
"""Hears of what a fit decided by itself, in a line."""


@dataclass(frozen=True, kw_only=True)
class FitResult:
    """The model of the best epoch, and how it was reached.

    model: None where the fit was over folds. outputs: of the validation rows at the best epoch, or of all rows out of
    fold: probabilities float64 [m, k] or standardised values [m]; None without validation rows. is_cut_short: whoever
    heard of an epoch ended the fit. notes: what the fit decided by itself, a line each.
    """

    model: Model | None
    best_epoch: int
    best_score: float | None
    num_epochs: int
    outputs: np.ndarray | None = None
    is_cut_short: bool = False
    notes: tuple[str, ...] = ()

    @property
    def fitted(self) -> Model:
        """The model of a fit that wasn't over folds."""
        assert self.model is not None, "a fit over folds comes to outputs, not to one model"
        return self.model


class Notes:
    """What a fit says beside its epochs; each line once, however many folds say it."""

    def __init__(self, on_note: OnNote) -> None:
        self.lines: list[str] = []
        self._on_note = on_note

    def __call__(self, line: str) -> None:
        if line not in self.lines:
            self.lines.append(line)
            self._on_note(line)


class EarlyStopping:
    """Remembers the best epoch and says when to give up.

    >>> from distml.metrics import METRICS
    >>> stopping = EarlyStopping(METRICS["rmse"], patience=2)
    >>> [stopping.update(epoch, score) for epoch, score in enumerate([3.0, 2.0, 2.5, 2.5], start=1)]
    [True, True, False, False]
    >>> stopping.best_epoch, stopping.is_over(4)
    (2, True)
    """

    def __init__(self, metric: Metric, patience: int) -> None:
        self.metric = metric
        self.patience = patience
        self.best_score = float("nan")
        self.best_epoch = 0

    def update(self, epoch: int, score: float) -> bool:
        """Notes an epoch's score; whether it is the best so far."""
        improved = self.metric.better(score, self.best_score)
        if improved:
            self.best_score, self.best_epoch = score, epoch
        return improved

    def is_over(self, epoch: int) -> bool:
        return epoch - self.best_epoch >= self.patience


def training_rows(batch: FeatureBatch) -> tuple[np.ndarray, np.ndarray]:
    """Targets and weights (ones where there are none) of a training batch."""
    assert batch.target is not None, "a training batch has targets"
    weight = np.ones(len(batch), np.float32) if batch.weight is None else batch.weight
    return batch.target, weight


def validation_score(metric: Metric, target: np.ndarray, prediction: np.ndarray, epoch: int) -> float:
    """The score of an epoch's predictions; `TrainingError` when they or it are not numbers."""
    score = metric(target, prediction) if np.isfinite(prediction).all() else float("nan")
    if not np.isfinite(score):
        raise TrainingError(
            "a validation score is a number",
            received=f"{score} in epoch {epoch}",
            remedy="look for infinite values and for validation rows of one class only",
        )
    return score
