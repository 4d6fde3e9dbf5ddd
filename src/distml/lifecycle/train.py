"""The stage `train`: the winner fitted once more and packed; the baselines fitted beside it."""

from __future__ import annotations

import platform
import shutil
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from typing import Any

import numpy as np

from distml.batch import FeatureBatch
from distml.config import AugmentConfig, RunConfig
from distml.data.engine import Engine
from distml.lifecycle.prepared import Prepared
from distml.lifecycle.search import Searched, objective_for
from distml.lifecycle.stages import once
from distml.metrics import score_all
from distml.models import FAMILIES, Model, load_model
from distml.package import Baseline, Member, ModelPackage, package_id, verify
from distml.postprocess import Postprocess, Prediction
from distml.predictor import Predictor, with_golden
from distml.storage import Storage, content_hash
from distml.summary import TableSummary
from distml.target import NumericTarget
from distml.training import fit
from distml.tune.objective import Candidate, Objective
from distml.window import summarise_predictions

BASELINES = ("linear", "trees")


@dataclass(frozen=True, kw_only=True)
class Trained:
    """Where the package and the baselines' models are in storage."""

    key: str
    package: str
    package_id: str
    baselines: dict[str, str]
    validation: dict[str, float]
    num_epochs: int
    was_reused: bool


@dataclass(frozen=True, kw_only=True)
class FitTask:
    """One model to fit and store. With `refit` it is fitted again on training and validation rows together."""

    name: str
    candidate: Candidate
    refit: bool


def train(config: RunConfig, prepared: Prepared, searched: Searched, storage: Storage, engine: Engine) -> Trained:
    """Runs the stage, or reads its result."""
    key = train_key(config, prepared.key, searched.key)
    folder = f"trained/{key}"
    value, reused = once(storage, folder, lambda: _train(config, prepared, searched, storage, engine, folder))
    return Trained(key=key, **value, was_reused=reused)


def train_key(config: RunConfig, prepared_key: str, searched_key: str) -> str:
    """The content hash of everything that training the winner depends on."""
    return content_hash(prepared_key, searched_key, config.name, config.train.refit)


def _train(
    config: RunConfig, prepared: Prepared, searched: Searched, storage: Storage, engine: Engine, folder: str
) -> dict[str, Any]:
    best = searched.best
    winner = Candidate(number=best.number, family=best.family, params=best.params)
    tasks = [FitTask(name="winner", candidate=winner, refit=config.train.refit == "train+validation")]
    for name in BASELINES:
        default = Candidate(number=0, family=name, params=dict(FAMILIES[name].defaults))
        tasks.append(FitTask(name=name, candidate=default, refit=False))
    fit_one = partial(_fit_and_store, objective_for(config, prepared, searched.metric), prepared, storage, folder)
    resources = config.search.resources_per_trial
    fitted = engine.map(fit_one, tasks, cpu=resources.cpu, gpu=resources.gpu)
    outputs, num_epochs = fitted[0]
    postprocess = Postprocess(weights=(1.0,), target=prepared.target)
    held_out, _ = prepared.rows("validation")
    prediction = postprocess([outputs])
    validation = _validation_metrics(prepared, prediction)
    with storage.local_folder(f"{folder}/fits/winner") as home:
        model = load_model(home)
    package = ModelPackage(
        name=config.name,
        schema=prepared.schema,
        members=(Member(model=model, pipeline=prepared.pipelines[FAMILIES[best.family].recipe]),),
        postprocess=postprocess,
        baseline=_baseline(prepared, prediction),
        metrics={"validation": validation},
        lineage=_lineage(config, prepared, searched, num_epochs),
    )
    identity = _pack(package, held_out, storage, f"{folder}/package")
    return {
        "package": f"{folder}/package",
        "package_id": identity,
        "baselines": {name: f"{folder}/fits/{name}" for name in BASELINES},
        "validation": validation,
        "num_epochs": num_epochs,
    }


def _fit_and_store(
    objective: Objective, prepared: Prepared, storage: Storage, folder: str, task: FitTask
) -> tuple[np.ndarray, int]:
    """Fits a task's model and writes it; returns its validation outputs from before the refit, and its epochs."""
    recipe = FAMILIES[task.candidate.family].recipe
    training, validation = prepared.features(recipe, "train"), prepared.features(recipe, "validation")
    if task.name != "winner":  # a baseline is as plain as it can be
        objective = replace(objective, settings=replace(objective.settings, augment=AugmentConfig()))
    result = objective.run(task.candidate, {recipe: (training, validation)})
    outputs = result.model.predict(validation)
    model: Model = result.model
    if task.refit:
        model = _refit(objective, task.candidate, training, validation, result.best_epoch)
    with storage.new_folder(f"{folder}/fits/{task.name}") as home:
        model.save(home)
    return outputs, result.best_epoch


def _refit(
    objective: Objective,
    candidate: Candidate,
    training: FeatureBatch,
    validation: FeatureBatch,
    num_epochs: int,
) -> Model:
    """For the number of epochs that was best with validation rows held out: there is none to stop at now."""
    settings = replace(
        objective.settings, max_epochs=num_epochs, seed=objective.settings.seed * 100_003 + candidate.number
    )
    rows = FeatureBatch.concat([training, validation])
    spec = objective.spec(candidate.family, candidate.params)
    return fit(spec, rows, None, objective.metric, settings).model


def _validation_metrics(prepared: Prepared, prediction: Prediction) -> dict[str, float]:
    recipe = next(iter(prepared.pipelines))
    target = prepared.features(recipe, "validation").target
    assert target is not None
    if isinstance(prepared.target, NumericTarget):
        target = prepared.target.decode(target)
    return score_all(prepared.target.task, target, prediction.scores)


def _baseline(prepared: Prepared, prediction: Prediction) -> Baseline:
    """What drift is measured against: the training rows' features, private ones left out, and held-out predictions."""
    inputs = TableSummary({})
    for column in prepared.schema.features:
        if not column.private:
            inputs.columns[column.name] = prepared.baseline.columns[column.name]
    return Baseline(inputs=inputs, predictions=summarise_predictions(prediction))


def _lineage(config: RunConfig, prepared: Prepared, searched: Searched, num_epochs: int) -> dict[str, Any]:
    fitted = ["train", "validation"] if config.train.refit == "train+validation" else ["train"]
    packages = ("distml", "torch", "lightgbm", "numpy", "pyarrow")
    return {
        "prepared": prepared.key,
        "searched": searched.key,
        "seed": config.seed,
        "split": prepared.plan.to_dict(),
        "test_table": prepared.test_key,
        "num_rows": dict(prepared.num_rows),
        "fitted": {"features": ["train"], "epochs": ["validation"], "weights": fitted},
        "trial": searched.best.to_dict(),
        "num_epochs": num_epochs,
        "code": {column.name: column.code.to_dict() for column in prepared.schema.derived if column.code is not None},
        "versions": {"python": platform.python_version(), **{name: version(name) for name in packages}},
    }


def _pack(package: ModelPackage, held_out: Any, storage: Storage, key: str) -> str:
    """Writes the package twice over: golden rows are predicted by what was read back, not by what was in memory."""
    with storage.new_folder(key) as folder:
        draft = folder / "draft"
        package.save(draft)
        reloaded = ModelPackage.load(draft)
        shutil.rmtree(draft)
        with_golden(reloaded, held_out).save(folder)
        Predictor.load(folder)  # replays the golden rows
        manifest = verify(folder)
    return package_id(manifest)
