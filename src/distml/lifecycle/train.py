"""The stage `train`: members chosen among the trials, fitted once more and packed; the baselines fitted beside them.

What is decided on held-out rows (the members and their weights, calibration, threshold, epochs) is decided before the
refit, which then has no rows left to be judged by.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from distml.config import RunConfig
from distml.data.engine import Engine
from distml.lifecycle.choosing import Choice, HeldOut, choose
from distml.lifecycle.fits import Fits, FitTask
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
    reading = reading_of(config, prepared, is_local=engine.name == "local")
    fits = Fits(objective_for(config, prepared, searched.metric), reading, storage, folder)
    results = TrialResults(storage, folder_of("tune", searched.key))
    choice = _choose(config, prepared, searched, fits, results, engine)
    models, members = _final_models(config, prepared, searched, choice, fits, results, engine)
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
        "baselines": {name: fits.key(name) for name in BASELINES},
        "validation": validation,
        "calibration": choice.postprocess.calibration and choice.postprocess.calibration.kind,
        "members": members,
    }


def _choose(
    config: RunConfig, prepared: Prepared, searched: Searched, fits: Fits, results: TrialResults, engine: Engine
) -> Choice:
    """The package's members, from the outputs that the trials have left."""
    eligible = [record for record in searched.records if record.is_eligible]
    outputs = {record.number: results.outputs(record.number) for record in eligible}
    known = {number: array for number, array in outputs.items() if array is not None}
    best = searched.best
    if best.number not in known:  # it was stopped in the middle of an epoch, with no time left to write them
        task = _again(best, searched, over_folds=bool(prepared.plan.num_folds))
        _map(config, engine, fits, [task])
        known[best.number] = fits.outputs(task.name)
    return choose(
        best, eligible, known, _held_out(prepared), fits.objective.metric, prepared.target,
        config.search.ensemble_size, config.postprocess,
    )  # fmt: skip


def _final_models(
    config: RunConfig, prepared: Prepared, searched: Searched, choice: Choice, fits: Fits, results: TrialResults,
    engine: Engine,
) -> tuple[list[Model], list[dict[str, Any]]]:  # fmt: skip
    """The members' models, and what is told of them; the baselines are fitted at the same time."""
    refit = config.train.refit == "train+validation"
    tasks = [_baseline(name) for name in BASELINES]
    if refit:
        tasks += [_refit(record, searched) for record, _ in choice.members]
    told = dict(zip([task.name for task in tasks], _map(config, engine, fits, tasks), strict=True))
    models, members = [], []
    for (record, weight), member in zip(choice.members, choice.to_list(), strict=True):
        name = f"member-{record.number}"
        known = told.get(name, {"num_epochs": record.best_epoch, "notes": list(record.notes)})
        models.append(fits.model(name) if refit else _as_searched(record, fits, results))
        members.append({**member, "params": record.params, "weight": weight, **known})
    return models, members


def _as_searched(record: TrialRecord, fits: Fits, results: TrialResults) -> Model:
    """The model that the trial has left, or that was fitted again because it had not."""
    model = results.model(record.number)
    return model if model is not None else fits.model(f"trial-{record.number}")


def _again(record: TrialRecord, searched: Searched, *, over_folds: bool) -> FitTask:
    """As the trial was fitted, to the epoch that was its best."""
    return FitTask(
        name=f"trial-{record.number}",
        segments=searched.segments(record),
        rows="folds" if over_folds else "train",
        num_epochs=record.best_epoch,
    )


def _refit(record: TrialRecord, searched: Searched) -> FitTask:
    """For the number of epochs that was best with rows held out: there is none to stop by now."""
    return FitTask(
        name=f"member-{record.number}",
        segments=searched.segments(record),
        rows="train+validation",
        num_epochs=record.best_epoch,
    )


def _baseline(name: str) -> FitTask:
    default = Candidate(number=0, family=name, params=dict(FAMILIES[name].defaults))
    return FitTask(name=name, segments=(default,), rows="train", is_plain=True)


def _map(config: RunConfig, engine: Engine, fits: Fits, tasks: list[FitTask]) -> list[dict[str, Any]]:
    return map_fits(config.search, engine, fits, tasks)


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
