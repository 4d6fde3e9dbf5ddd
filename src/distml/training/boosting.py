"""Boosted trees, grown in epochs of `ROUNDS_PER_EPOCH` rounds so that a scheduler can end them early."""

from __future__ import annotations

from typing import Any

import numpy as np

from distml.batch import FeatureBatch
from distml.errors import TrainingError
from distml.models.base import Model, ModelSpec
from distml.models.trees import ROUNDS_PER_EPOCH, TreeModel, matrix, native_params
from distml.training.base import FitSettings, Notes, training_rows
from distml.training.weights import weighed


class TreeLearner:
    """Implements `Learner`.

    LightGBM can't restore the state of its random numbers. So each epoch draws from seeds of its own, and a booster
    that goes on from another's text grows the very trees that it would have grown.
    """

    def __init__(self, spec: ModelSpec, train: FeatureBatch, settings: FitSettings, notes: Notes) -> None:
        self.spec = spec
        self._seed = settings.seed
        self._num_threads = settings.num_threads
        self._native = native_params(spec.params, spec, settings.seed, settings.num_threads)
        self._dataset = _dataset(weighed(train, settings.config), self._native)
        self._booster: Any = None
        self._is_growing = False  # it knows the training rows, which one read from text doesn't
        # A round that finds no split leaves no tree, so there may be fewer than were asked for.
        self._rounds: list[int] = []  # that there are after each epoch
        self._kept = 0
        self._seen: _Seen | None = None
        for name in settings.config.only_networks_heed:
            notes(f"trees: train.{name} is for networks and isn't heeded")

    def epoch(self, number: int) -> float:
        """`ROUNDS_PER_EPOCH` rounds; LightGBM would need another pass over the training rows to know the loss."""
        if self._is_growing:
            self._reseed(self._booster, number)
            for _ in range(ROUNDS_PER_EPOCH):
                self._booster.update()
        else:
            self._booster, self._is_growing = self._begin(number), True
        self._rounds.append(self._booster.current_iteration())
        return float("nan")

    def predict(self, batch: FeatureBatch) -> np.ndarray:
        """Only the trees that the batch hasn't met are evaluated: raw scores add up."""
        if self._seen is None or self._seen.batch is not batch:
            self._seen = _Seen(batch)
        return _scores(self._seen.update(self._booster, self._rounds, self._num_threads), self.spec.task)

    def keep(self) -> None:
        self._kept = self._rounds[-1]

    def model(self) -> Model:
        import lightgbm

        text = self._booster.model_to_string(num_iteration=self._kept or self._rounds[-1])
        return TreeModel(self.spec, lightgbm.Booster(model_str=text), self._num_threads)

    def state(self) -> dict[str, Any]:
        text = self._booster.model_to_string(num_iteration=-1)
        return {"text": text, "rounds": list(self._rounds), "kept": self._kept}

    def load_state(self, state: dict[str, Any]) -> None:
        import lightgbm

        self._booster, self._is_growing = lightgbm.Booster(model_str=state["text"]), False
        self._rounds, self._kept, self._seen = list(state["rounds"]), state["kept"], None

    def _begin(self, number: int) -> Any:
        """A booster that has grown for its first epoch here, on top of the trees that there are."""
        import lightgbm

        def reseed(env: Any) -> None:
            if env.iteration == env.begin_iteration:
                self._reseed(env.model, number)

        reseed.before_iteration = True  # type: ignore[attr-defined]
        try:
            return lightgbm.train(
                self._native, self._dataset, ROUNDS_PER_EPOCH, init_model=self._booster, callbacks=[reseed],
                keep_training_booster=True,
            )  # fmt: skip
        except lightgbm.basic.LightGBMError as error:
            raise TrainingError("LightGBM takes a trial's parameters and rows", received=str(error).strip()) from error

    def _reseed(self, booster: Any, number: int) -> None:
        """LightGBM draws rows from a new seed only where their share changes, and columns where their seed does
        (BaggingSampleStrategy::ResetSampleConfig, ColSampler::SetConfig). So the share changes by next to nothing:
        bagging turned off and on again grew other trees in 2 fits of 100 (LightGBM 4.7).
        """
        seed = int(np.random.SeedSequence([self._seed, number]).generate_state(1)[0] >> 1)
        share = self._native["bagging_fraction"]
        drawn = {"bagging_seed": seed, "feature_fraction_seed": seed}
        booster.reset_parameter(drawn if share >= 1 else {**drawn, "bagging_fraction": share * (1 + 1e-9 * number)})


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


def _dataset(train: FeatureBatch, native: dict[str, Any]) -> Any:
    """The training rows as LightGBM takes them."""
    import lightgbm

    target, weight = training_rows(train)
    num_numeric = train.numeric.shape[1]
    categorical = list(range(num_numeric, num_numeric + train.categorical.shape[1]))
    return lightgbm.Dataset(matrix(train), label=target, weight=weight, categorical_feature=categorical, params=native)


def _scores(raw: np.ndarray | float, task: str) -> np.ndarray:
    """Summed leaf values as probabilities [n, k] or standardised values [n]."""
    from scipy.special import expit, softmax

    raw = np.asarray(raw)
    if task == "binary":
        positive = expit(raw)
        return np.column_stack([1 - positive, positive])
    return softmax(raw, axis=1) if task == "multiclass" else raw
