"""`fit_folds`: as many fits as there are folds, in lockstep, each scored on the rows that it hasn't seen.

They are one learner that is validated out of fold, so an epoch has one score, there is one best epoch for all of them,
and a scheduler ends them together.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from distml.batch import FeatureBatch
from distml.errors import TrainingError
from distml.metrics import Metric
from distml.models.base import ModelSpec
from distml.models.own import told_where
from distml.training import seeds
from distml.training.base import FitResult, FitSettings, Notes, OnEpoch, OnNote
from distml.training.course import Course
from distml.training.fit import begin


def fit_folds(
    spec: ModelSpec,
    rows: FeatureBatch,
    metric: Metric,
    settings: FitSettings,
    on_epoch: OnEpoch = lambda result: None,
    on_note: OnNote = lambda line: None,
) -> FitResult:
    """Fits on all folds but one, for each; an epoch's score is the metric over the outputs of all rows out of fold.

    rows: a batch with targets and `fold`, int8 [n]. The result has no model: its `outputs` are out of fold, in the
    order of rows. Raises `TrainingError` as `fit` does, and where there are fewer than two folds.
    """
    notes = Notes(on_note)
    with told_where(spec):
        return Course(FoldsLearner(spec, rows, settings, notes), rows, metric, settings, notes).run(on_epoch)


class FoldsLearner:
    """Implements `Learner` over one learner for each fold, which is fitted on the others' rows."""

    def __init__(self, spec: ModelSpec, rows: FeatureBatch, settings: FitSettings, notes: Notes) -> None:
        assert rows.fold is not None, "rows that are fitted over folds have their folds"
        folds = np.unique(rows.fold)
        if len(folds) < 2:
            raise TrainingError(
                "a fit over folds has rows of two or more",
                received=f"{len(folds)}",
                remedy="give more rows, or leave split.folds out",
            )
        self.spec = spec
        self._rows = rows
        self._held_out = [np.flatnonzero(rows.fold == fold) for fold in folds]
        self._unseen = [rows.take(index) for index in self._held_out]
        self._learners = [
            begin(
                spec, rows.take(rows.fold != fold), replace(settings, seed=seeds.of_fold(settings.seed, number)), notes
            )
            for number, fold in enumerate(folds)
        ]

    def epoch(self, number: int) -> float:
        """An epoch of every fold; the mean of their losses."""
        return float(np.mean([learner.epoch(number) for learner in self._learners]))

    def predict(self, batch: FeatureBatch) -> np.ndarray:
        """The rows' own outputs, each by the learner that hasn't seen it."""
        assert batch is self._rows, "folds know of no rows but their own"
        parts = [learner.predict(unseen) for learner, unseen in zip(self._learners, self._unseen, strict=True)]
        outputs = np.concatenate(parts)
        outputs[np.concatenate(self._held_out)] = outputs.copy()
        return outputs

    def keep(self) -> None:
        """Nothing: of folds the outputs are kept, which the course has, not the models."""

    def model(self) -> None:
        return None

    def state(self) -> dict[str, Any]:
        return {"folds": [learner.state() for learner in self._learners]}

    def load_state(self, state: dict[str, Any]) -> None:
        for learner, own in zip(self._learners, state["folds"], strict=True):
            learner.load_state(own)
