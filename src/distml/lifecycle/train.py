"""The stage `train`: members chosen among the trials, fitted once more and packed; the baselines fitted beside them.

What is decided on held-out rows (the members and their weights, calibration, threshold, epochs) is decided before the
refit, which then has no rows left to be judged by.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from distml.config import RunConfig
from distml.data.engine import Engine
from distml.lifecycle.choosing import Choice, HeldOut, choose
from distml.lifecycle.fits import FitRows, Fits, FitTask
from distml.lifecycle.pack import lineage_of, pack, package_of
from distml.lifecycle.prepared import Prepared
from distml.lifecycle.search import Searched, objective_for
from distml.lifecycle.stages import folder_of, once
from distml.lifecycle.streaming import reading_of
from distml.lifecycle.workers import map_fits
from distml.metrics import score_all
from distml.models import FAMILIES, Model
from distml.postprocess import Prediction
from distml.storage import Storage, content_hash
from distml.target import NumericTarget
from distml.tune import Candidate, TrialRecord
from distml.tune.results import TrialResults

BASELINES = ("linear", "trees")


@dataclass(frozen=True, kw_only=True)
class Trained:
    """Where the package and the baselines' models are in storage.

    validation: metrics of the held-out rows. calibration: its kind, None without one. members: each with `trial`,
    `family`, `params`, `weight`, `num_epochs` and `notes`.
    """

    key: str
    package: str
    package_id: str
    baselines: dict[str, str]
    validation: dict[str, float]
    calibration: str | None
    members: list[dict[str, Any]]
    was_reused: bool


def train(config: RunConfig, prepared: Prepared, searched: Searched, storage: Storage, engine: Engine) -> Trained:
    """Runs the stage, or reads its result."""
    key = train_key(config, prepared.key, searched.key)
    folder = folder_of("train", key)
    value, reused = once(storage, folder, lambda: _train(config, prepared, searched, storage, engine, folder))
    return Trained(key=key, **value, was_reused=reused)


def train_key(config: RunConfig, prepared_key: str, searched_key: str) -> str:
    """The content hash of everything that training the winner depends on."""
    after = config.postprocess.model_dump(mode="json")
    return content_hash(prepared_key, searched_key, config.name, config.train.refit, after)


def _train(
    config: RunConfig, prepared: Prepared, searched: Searched, storage: Storage, engine: Engine, folder: str
) -> dict[str, Any]:
    work = _Work(config, prepared, searched, storage, engine, folder)
    choice = work.choose()
    models, members = work.fit(choice)
    prediction = choice.postprocess(choice.outputs)
    validation = _metrics(prepared, prediction)
    package = package_of(
        config, prepared, models, choice.postprocess, prediction, validation,
        lineage_of(config, prepared, searched, members),
    )  # fmt: skip
    rows, _ = prepared.rows("validation")
    return {
        "package": f"{folder}/package",
        "package_id": pack(package, rows, storage, f"{folder}/package"),
        "baselines": {name: work.fits.key(name) for name in BASELINES},
        "validation": validation,
        "calibration": choice.postprocess.calibration and choice.postprocess.calibration.kind,
        "members": members,
    }


@dataclass(frozen=True)
class _Work:
    """The stage at work: the choice among what trials have left, and the fits that follow it."""

    config: RunConfig
    prepared: Prepared
    searched: Searched
    storage: Storage
    engine: Engine
    folder: str

    @cached_property
    def fits(self) -> Fits:
        objective = objective_for(self.config, self.prepared, self.searched.metric)
        reading = reading_of(self.config, self.prepared, is_local=self.engine.name == "local")
        return Fits(objective, reading, self.storage, self.folder)

    @cached_property
    def results(self) -> TrialResults:
        return TrialResults(self.storage, folder_of("tune", self.searched.key))

    def choose(self) -> Choice:
        """The package's members, from the outputs that the trials have left."""
        eligible = [record for record in self.searched.records if record.is_eligible]
        outputs = {record.number: self.results.outputs(record.number) for record in eligible}
        known = {number: array for number, array in outputs.items() if array is not None}
        best = self.searched.best
        if best.number not in known:  # it was stopped in the middle of an epoch, with no time left to write them
            again = self._task("trial", best, "folds" if self.prepared.plan.num_folds else "train")
            self._map([again])
            known[best.number] = self.fits.outputs(again.name)
        return choose(
            best, eligible, known, _held_out(self.prepared), self.fits.objective.metric, self.prepared.target,
            self.config.search.ensemble_size, self.config.postprocess,
        )  # fmt: skip

    def fit(self, choice: Choice) -> tuple[list[Model], list[dict[str, Any]]]:
        """The members' models, and what is told of them; the baselines are fitted at the same time."""
        refits: list[FitTask] = []
        if self.config.train.refit == "train+validation":
            refits = [self._task("member", record, "train+validation") for record, _ in choice.members]
        told = self._map([*map(_baseline, BASELINES), *refits])[len(BASELINES) :]
        if refits:
            models = [self.fits.model(task.name) for task in refits]
        else:
            models = [self._as_searched(record) for record, _ in choice.members]
            told = [{"num_epochs": record.best_epoch, "notes": list(record.notes)} for record, _ in choice.members]
        return models, [{**member, **fitted} for member, fitted in zip(choice.to_list(), told, strict=True)]

    def _task(self, purpose: str, record: TrialRecord, rows: FitRows) -> FitTask:
        """A trial once more, for the number of epochs that was best with rows held out."""
        return FitTask(
            name=f"{purpose}-{record.number}",
            segments=self.searched.segments(record),
            rows=rows,
            num_epochs=record.best_epoch,
        )

    def _as_searched(self, record: TrialRecord) -> Model:
        """The model that the trial has left, or that was fitted again because it had not."""
        model = self.results.model(record.number)
        return model if model is not None else self.fits.model(f"trial-{record.number}")

    def _map(self, tasks: list[FitTask]) -> list[dict[str, Any]]:
        return map_fits(self.config.search, self.engine, self.fits, tasks)


def _baseline(name: str) -> FitTask:
    default = Candidate(number=0, family=name, params=dict(FAMILIES[name].defaults))
    return FitTask(name=name, segments=(default,), rows="train", is_plain=True)


def _held_out(prepared: Prepared) -> HeldOut:
    """The rows that trials were scored on: of validation, or all that folds were dealt to."""
    recipe = next(iter(prepared.pipelines))
    rows = prepared.fit_rows(recipe) if prepared.plan.num_folds else prepared.features(recipe, "validation")
    assert rows.target is not None
    return HeldOut(target=rows.target, weight=rows.weight)


def _metrics(prepared: Prepared, prediction: Prediction) -> dict[str, float]:
    target: np.ndarray = _held_out(prepared).target
    if isinstance(prepared.target, NumericTarget):
        target = prepared.target.decode(target)
    return score_all(prepared.target.task, target, prediction.scores)
