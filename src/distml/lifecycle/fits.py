"""The fits of the stage `train`, each stored as soon as it ends: a run that was cut off repeats none of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from distml.batch import FeatureBatch
from distml.config import AugmentConfig
from distml.lifecycle.stages import once
from distml.lifecycle.streaming import Reading
from distml.metrics import Metric
from distml.models import FAMILIES, Model, ModelSpec
from distml.storage import Storage
from distml.training import FitResult, FitSettings
from distml.training.checkpoint import Checkpoint
from distml.training.folds import fit_folds
from distml.training.results import read_model, read_outputs, write_result
from distml.training.shards import Shards
from distml.tune.objective import Candidate, Objective

FitRows = Literal["train", "train+validation", "folds"]


@dataclass(frozen=True, kw_only=True)
class FitTask:
    """One model to fit. rows: those of training, with validation rows to stop by, or both together for `num_epochs`;
    `folds`: both as they are dealt to folds, which comes to outputs and to no one model.

    segments: what is fitted, one candidate, or those of a population's member in the order that it went through them.
    """

    name: str
    segments: tuple[Candidate, ...]
    rows: FitRows
    num_epochs: int | None = None
    is_plain: bool = False  # without augmentation, as a baseline is

    @property
    def family(self) -> str:
        return self.segments[-1].family


@dataclass(frozen=True)
class Fits:
    """The fits of one stage's folder; goes to the workers that carry them out."""

    objective: Objective
    reading: Reading
    storage: Storage
    folder: str

    def key(self, name: str) -> str:
        """Where a fit's model is."""
        return f"{self.folder}/fits/{name}"

    def model(self, name: str) -> Model:
        return read_model(self.storage, self.key(name))

    def outputs(self, name: str) -> np.ndarray:
        """A fit's outputs on the validation rows, or on all rows out of fold, [n, k] or [n]."""
        return read_outputs(self.storage, self.key(name))

    def __call__(self, task: FitTask) -> dict[str, Any]:
        """Carries a task out, or reads its result: `num_epochs` and `notes`."""
        return once(self.storage, self.key(task.name), lambda: self._fit(task))[0]

    def _fit(self, task: FitTask) -> dict[str, Any]:
        checkpoint = Checkpoint(self.storage, f"{self.key(task.name)}.pt")
        result = self._objective(task).refit(task.segments, *self._rows(task), task.num_epochs, checkpoint)
        write_result(self.storage, self.key(task.name), result)
        checkpoint.delete()
        return {"num_epochs": result.best_epoch, "notes": list(result.notes)}

    def _rows(self, task: FitTask) -> tuple[FeatureBatch | Shards, FeatureBatch | None]:
        recipe = FAMILIES[task.family].recipe
        if task.rows == "train+validation":
            return self.reading.rows(recipe, "train", "validation"), None
        if task.rows == "folds":
            return self.reading.prepared.fit_rows(recipe), None
        return self.reading.rows(recipe, "train"), self.reading.prepared.features(recipe, "validation")

    def _objective(self, task: FitTask) -> Objective:
        if task.rows == "folds":
            return replace(self.objective, fit=_over_folds)
        if not task.is_plain:
            return self.objective
        settings = replace(self.objective.settings, augment=AugmentConfig())
        return replace(self.objective, settings=settings, code={}, warm=None)


def _over_folds(
    spec: ModelSpec, rows: FeatureBatch, validation: None, metric: Metric, settings: FitSettings
) -> FitResult:
    """`fit_folds` where an objective calls `fit`."""
    return fit_folds(spec, rows, metric, settings)
