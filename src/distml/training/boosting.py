"""Boosted trees, grown in epochs of `ROUNDS_PER_EPOCH` rounds so that a scheduler can end them early."""

from __future__ import annotations

from typing import Any

import numpy as np

from distml.batch import FeatureBatch
from distml.errors import TrainingError
from distml.models.base import Model, ModelSpec
from distml.models.trees import ROUNDS_PER_EPOCH, TreeModel, matrix, native_params
from distml.training.base import FitSettings, Notes, training_rows


class TreeLearner:
    """Implements `Learner`."""

    def __init__(self, spec: ModelSpec, train: FeatureBatch, settings: FitSettings, notes: Notes) -> None:
        self.spec = spec
        self.settings = settings
        self.booster = _booster(spec, train, settings)
        # A round that finds no split leaves no tree, so there may be fewer than were asked for.
        self.rounds: list[int] = []  # that there are after each epoch
        self._kept = 0
        self._seen: _Seen | None = None
        for name in settings.config.only_networks_heed:
            notes(f"trees: train.{name} is for networks and isn't heeded")

    def epoch(self, number: int) -> float:
        """`ROUNDS_PER_EPOCH` rounds; LightGBM would need another pass over the training rows to know the loss."""
        for _ in range(ROUNDS_PER_EPOCH):
            self.booster.update()
        self.rounds.append(self.booster.current_iteration())
        return float("nan")

    def predict(self, batch: FeatureBatch) -> np.ndarray:
        """Only the trees that the batch hasn't met are evaluated: raw scores add up."""
        if self._seen is None or self._seen.batch is not batch:
            self._seen = _Seen(batch)
        return _scores(self._seen.update(self.booster, self.rounds, self.settings.num_threads), self.spec.task)

    def keep(self) -> None:
        self._kept = self.rounds[-1]

    def model(self) -> Model:
        import lightgbm

        num_rounds = self._kept or self.rounds[-1]
        best = lightgbm.Booster(model_str=self.booster.model_to_string(num_iteration=num_rounds))
        return TreeModel(self.spec, best, self.settings.num_threads)

    def state(self) -> dict[str, Any]:
        return {"text": self.booster.model_to_string(num_iteration=-1), "rounds": self.rounds, "kept": self._kept}

    def load_state(self, state: dict[str, Any]) -> None:
        raise NotImplementedError


class _Seen:
    """The raw scores of a batch, epoch after epoch, so that they are the same sums however a fit was interrupted."""

    def __init__(self, batch: FeatureBatch) -> None:
        self.batch = batch
        self.raw: np.ndarray | float = 0.0
        self._matrix = matrix(batch)
        self._num_epochs = 0

    def update(self, booster: Any, rounds: list[int], num_threads: int) -> np.ndarray | float:
        for epoch in range(self._num_epochs, len(rounds)):
            first = rounds[epoch - 1] if epoch else 0
            if rounds[epoch] > first:
                self.raw = self.raw + booster.predict(
                    self._matrix,
                    start_iteration=first,
                    num_iteration=rounds[epoch] - first,
                    raw_score=True,
                    num_threads=num_threads,
                )
        self._num_epochs = len(rounds)
        return self.raw


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
