"""From fitted members to a package in storage that has proved that it reloads."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from typing import Any

from distml.config import RunConfig
from distml.execution import choose
from distml.execution.choice import SIZES
from distml.execution.onnx import is_installed
from distml.lifecycle import warm
from distml.lifecycle.prepared import Prepared
from distml.lifecycle.search import Searched
from distml.models import FAMILIES, Model
from distml.models.own import code_of, place_of
from distml.package import Baseline, Member, ModelPackage, package_id, verify
from distml.postprocess import Postprocess, Prediction
from distml.predictor import Predictor, with_golden
from distml.storage import Storage
from distml.summary import TableSummary
from distml.window import summarise_predictions

_LIBRARIES = ("distml", "torch", "lightgbm", "tabm", "numpy", "pyarrow")


def package_of(
    config: RunConfig,
    prepared: Prepared,
    models: Sequence[Model],
    postprocess: Postprocess,
    held_out: Prediction,
    metrics: dict[str, float],
    lineage: dict[str, Any],
) -> ModelPackage:
    """The package of a run's models. held_out: predictions of rows that none of them was fitted on."""
    return ModelPackage(
        name=config.name,
        schema=prepared.schema,
        members=tuple(
            Member(model=model, pipeline=prepared.pipelines[FAMILIES[model.spec.family].recipe]) for model in models
        ),
        postprocess=postprocess,
        baseline=_baseline(prepared, held_out),
        metrics={"validation": metrics},
        lineage=lineage,
    )


def _baseline(prepared: Prepared, held_out: Prediction) -> Baseline:
    """What drift is measured against: the training rows' features, private ones left out, and held-out predictions."""
    inputs = TableSummary({})
    for column in prepared.schema.features:
        if not column.private:
            inputs.columns[column.name] = prepared.baseline.columns[column.name]
    return Baseline(inputs=inputs, predictions=summarise_predictions(held_out))


def lineage_of(
    config: RunConfig, prepared: Prepared, searched: Searched, members: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """What a package was made from, and which rows fitted what. members: as the stage's result tells them."""
    fitted = ["train", "validation"] if config.train.refit == "train+validation" else ["train"]
    decided = ["train", "validation"] if prepared.plan.num_folds else ["validation"]
    return {
        "prepared": prepared.key,
        "searched": searched.key,
        "seed": config.seed,
        "split": prepared.plan.to_dict(),
        "test_table": prepared.test_key,
        "num_rows": dict(prepared.num_rows),
        "fitted": {
            "features": ["train"],
            "epochs": decided,
            "blend": decided,
            "calibration": decided,
            "threshold": decided,
            "weights": fitted,
        },
        "trial": searched.best.to_dict(),
        "members": list(members),
        "code": _code(config, prepared),
        "warm_start": warm.lineage(config),
        "versions": {"python": platform.python_version(), **_versions()},
    }


def _versions() -> dict[str, str]:
    names = (*_LIBRARIES, "onnxruntime") if is_installed() else _LIBRARIES
    return {name: version(name) for name in names}


def _code(config: RunConfig, prepared: Prepared) -> dict[str, Any]:
    """The user's own: what makes columns, by column, and models, by the config's key."""
    columns = {column.name: column.code.to_dict() for column in prepared.schema.derived if column.code is not None}
    return columns | {place_of(key): ref.to_dict() for key, ref in code_of(config.model).items()}


def with_engines(package: ModelPackage, rows: Any) -> ModelPackage:
    """The package with what each member is to be executed by, measured on rows of a cleaned pyarrow table."""
    some, members = rows.slice(0, max(SIZES)), []
    for member in package.members:
        trial = choose(member.model, member.pipeline.encode(some))
        members.append(replace(member, execution=trial.execution, onnx=trial.onnx))
    return replace(package, members=tuple(members))


def pack(package: ModelPackage, rows: Any, storage: Storage, key: str) -> str:
    """Writes a package and returns its content hash. rows: a cleaned pyarrow table that golden rows are taken from.

    It is written twice over: golden rows are predicted by what was read back, not by what was in memory, as it was
    fitted; then they are replayed on the engines that were chosen.
    """
    with storage.new_folder(key) as folder:
        draft = folder / "draft"
        package.save(draft)
        reloaded = ModelPackage.load(draft, as_fitted=True)
        shutil.rmtree(draft)
        with_engines(with_golden(reloaded, rows), rows).save(folder)
        Predictor.load(folder)  # replays the golden rows
        manifest = verify(folder)
    return package_id(manifest)
