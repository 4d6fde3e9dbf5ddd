"""`fit`: the one entry to training, whatever the family.

It knows nothing of trials, Ray or MLflow: whoever calls it hears of each epoch through `on_epoch`.
"""

from __future__ import annotations

from collections.abc import Collection

from distml.batch import FeatureBatch
from distml.metrics import Metric
from distml.models.base import ModelSpec
from distml.models.build import FAMILIES
from distml.models.own import told_where
from distml.training.base import FitResult, FitSettings, Notes, OnEpoch, OnNote
from distml.training.course import Course
from distml.training.learner import Learner
from distml.training.shards import Shards
from distml.training.suits import check_task


def fit(
    spec: ModelSpec,
    train: FeatureBatch | Shards,
    validation: FeatureBatch | None,
    metric: Metric,
    settings: FitSettings,
    on_epoch: OnEpoch = lambda result: None,
    on_note: OnNote = lambda line: None,
) -> FitResult:
    """Fits a model; with validation rows the best epoch by `metric` is kept, without them the last.

    train, validation: batches of n and m rows with targets; training rows of a network may be shards, which are read
    epoch by epoch. Regression scores are of standardised targets.
    Raises `TrainingError` when the loss or the validation score is no longer a number, when the loss grows beyond
    all measure, and when memory doesn't suffice.
    """
    notes = Notes(on_note)
    if "train_fn" in spec.code:
        from distml.training.own import OwnCourse

        return OwnCourse(spec, _held(spec, train, notes), validation, metric, settings, notes).run(on_epoch)
    with told_where(spec):
        return Course(begin(spec, train, settings, notes), validation, metric, settings, notes).run(on_epoch)


def begin(spec: ModelSpec, train: FeatureBatch | Shards, settings: FitSettings, notes: Notes) -> Learner:
    """A learner of a spec's family that has learnt nothing yet."""
    check_task(settings.config, spec.task)
    if FAMILIES[spec.family].kind == "trees":
        from distml.training.boosting import TreeLearner

        return TreeLearner(spec, _held(spec, train, notes), settings, notes)
    from distml.training.loop import NetworkLearner

    return NetworkLearner(spec, train, settings, notes)


def is_shareable(family: str, code: Collection[str]) -> bool:
    """Whether several workers can fit a family together. code: the keys of the user's own that it is fitted with.
    LightGBM grows trees in one process here, and a loop of the user's own knows of no others.
    """
    return FAMILIES[family].kind == "network" and "train_fn" not in code


def _held(spec: ModelSpec, train: FeatureBatch | Shards, notes: Notes) -> FeatureBatch:
    """The rows in memory, for a fit that can't do without."""
    if isinstance(train, FeatureBatch):
        return train
    notes(f"{spec.family}: holds all of its {len(train):,} training rows, as it can't be fitted from a stream")
    return train.whole()
