"""Boosted trees, grown in epochs of `ROUNDS_PER_EPOCH` rounds so that a scheduler can end them early."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from distml.batch import FeatureBatch
from distml.errors import TrainingError
from distml.metrics import Metric
from distml.models.base import ModelSpec
from distml.models.trees import ROUNDS_PER_EPOCH, TreeModel, matrix, native_params
from distml.training.base import (
    EarlyStopping,
    EpochResult,
    FitResult,
    FitSettings,
    OnEpoch,
    training_rows,
    validation_score,
)


def fit_trees(
    spec: ModelSpec,
    train: FeatureBatch,
    validation: FeatureBatch | None,
    metric: Metric,
    settings: FitSettings,
    on_epoch: OnEpoch,
) -> FitResult:
    """See `fit`."""
    import lightgbm

    booster = _booster(spec, train, settings)
    held_out = None if validation is None else matrix(validation)
    stopping = EarlyStopping(metric, settings.patience)
    raw: np.ndarray | float = 0.0
    started = time.monotonic()
    # A round that finds no split leaves no tree, so there may be fewer than were asked for.
    num_rounds = best_rounds = epoch = 0
    for epoch in range(1, settings.max_epochs + 1):
        for _ in range(ROUNDS_PER_EPOCH):
            booster.update()
        first_new, num_rounds = num_rounds, booster.current_iteration()
        score = None
        if held_out is not None and validation is not None:
            if num_rounds > first_new:
                # Only the new trees are evaluated: raw scores add up.
                raw = raw + booster.predict(
                    held_out,
                    start_iteration=first_new,
                    num_iteration=num_rounds - first_new,
                    raw_score=True,
                    num_threads=settings.num_threads,
                )
            score = validation_score(metric, training_rows(validation)[0], _scores(raw, spec.task), epoch)
            if stopping.update(epoch, score):
                best_rounds = num_rounds
        on_epoch(
            EpochResult(
                epoch=epoch,
                train_loss=float("nan"),  # LightGBM would need another pass over the training rows to know it
                score=score,
                best_score=None if score is None else stopping.best_score,
                best_epoch=stopping.best_epoch or epoch,
                seconds=time.monotonic() - started,
            )
        )
        if score is not None and stopping.is_over(epoch):
            break
    best = lightgbm.Booster(model_str=booster.model_to_string(num_iteration=best_rounds or num_rounds))
    return FitResult(
        model=TreeModel(spec, best, settings.num_threads),
        best_epoch=stopping.best_epoch or epoch,
        best_score=None if validation is None else stopping.best_score,
        num_epochs=epoch,
    )


def _booster(spec: ModelSpec, train: FeatureBatch, settings: FitSettings) -> Any:
    """A LightGBM booster over the training rows, no tree grown yet."""
    import lightgbm

    target, weight = training_rows(train)
    native = native_params(spec.params, spec, settings.seed, settings.num_threads)
    data = matrix(train)
    num_numeric = train.numeric.shape[1]
    categorical = list(range(num_numeric, num_numeric + train.categorical.shape[1]))
    dataset = lightgbm.Dataset(data, label=target, weight=weight, categorical_feature=categorical, params=native)
    try:
        return lightgbm.Booster(native, dataset)
    except lightgbm.basic.LightGBMError as error:
        raise TrainingError("LightGBM takes a trial's parameters and rows", received=str(error).strip()) from error


def _scores(raw: np.ndarray | float, task: str) -> np.ndarray:
    """Summed leaf values as probabilities [n, k] or standardised values [n]."""
    from scipy.special import expit, softmax

    raw = np.asarray(raw)
    if task == "binary":
        positive = expit(raw)
        return np.column_stack([1 - positive, positive])
    return softmax(raw, axis=1) if task == "multiclass" else raw
