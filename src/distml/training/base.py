"""What every fit has: settings, results by epoch, the rule that ends it. It knows nothing of trials, Ray or MLflow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from distml.batch import FeatureBatch
from distml.config.augment import AugmentConfig
from distml.errors import TrainingError
from distml.metrics import Metric
from distml.models.base import Model
from distml.training.checkpoint import Checkpoint


@dataclass(frozen=True, kw_only=True)
class FitSettings:
    """How long and with what a fit runs; what it fits is in the `ModelSpec`."""

    max_epochs: int = 100
    patience: int = 16
    batch_size: int | Literal["auto"] = "auto"
    seed: int = 0
    augment: AugmentConfig = field(default_factory=AugmentConfig)  # of a network's training rows
    device: Literal["auto", "cpu", "cuda"] = "auto"
    num_threads: int = 1
    checkpoint: Checkpoint | None = None  # of a network: to go on from if there is one, and to write to
    checkpoint_interval_s: float = 5.0


@dataclass(frozen=True, kw_only=True)
class EpochResult:
    """What an epoch came to: `score` on the validation rows, None without any."""

    epoch: int  # from 1
    train_loss: float
    score: float | None
    best_score: float | None
    best_epoch: int
    seconds: float


OnEpoch = Callable[[EpochResult], None]


@dataclass(frozen=True)
class FitResult:
    """The model of the best epoch, and how it was reached."""

    model: Model
    best_epoch: int
    best_score: float | None
    num_epochs: int


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
