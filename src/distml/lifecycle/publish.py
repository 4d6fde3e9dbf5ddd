"""What a run shows of itself: its report page, and report, metrics and package in the tracker."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import PurePosixPath
from typing import Any

from distml.evaluation import Verdict
from distml.evaluation.page import render
from distml.lifecycle.prepared import Prepared
from distml.lifecycle.result import RunResult
from distml.lifecycle.runs import RunRecord
from distml.package import MANIFEST
from distml.secrets import without_password
from distml.serve.mlflow import PACKAGE, description
from distml.tracking import Dataset, Point
from distml.tracking.entries import Artifacts, Datasets, Entry, Mirror, log, now_ms

MODEL = "model"  # below the run's folder, and among its artifacts


def publish(result: RunResult, put: Callable[[Entry], None], record: RunRecord) -> None:
    """The report in storage; report, metrics and package in the tracker, by `put`; the version mirrored."""
    assert result.evaluated and result.trained and result.searched
    page = render(report_values(result)).encode()
    result.storage.write_bytes(record.key("report.html"), page)
    result.report = result.storage.uri(record.key("report.html"))
    now = now_ms()
    metrics = {f"test_{name}": value for name, value in result.evaluated.metrics.items()}
    metrics |= {f"validation_{name}": value for name, value in result.trained.validation.items()}
    tags = {"distml.best_trial": result.searched.best.number}
    put(log(points=[Point(name, value, 0, now) for name, value in metrics.items()], tags=tags))
    put(Artifacts(key=record.key("report.html"), path=""))
    _put_model(result, put, record)
    if result.version is not None and result.verdict is not None:
        put(log(tags={"distml.version": result.version.number, "distml.promoted": result.verdict.promoted}))
        alias = "champion" if result.verdict.promoted else "challenger"
        put(Mirror(version=asdict(result.version), alias=alias))


def _put_model(result: RunResult, put: Callable[[Entry], None], record: RunRecord) -> None:
    """The package as a model that MLflow serves: the package itself, and beside it what describes it."""
    assert result.trained
    package = result.trained.package
    manifest = result.storage.read_json(f"{package}/{MANIFEST}")
    for name, content in description(manifest, record.value.get("tracking_run")).items():
        result.storage.write_bytes(record.key(f"{MODEL}/{name}"), content)
    put(Artifacts(key=record.key(MODEL), path=MODEL))
    put(Artifacts(key=package, path=f"{MODEL}/{PACKAGE}"))


def datasets(result: RunResult) -> Datasets:
    """The rows of each split as inputs of the run, by the hash of their content."""
    assert result.prepared is not None
    return Datasets(datasets=tuple(_dataset(result, result.prepared, split) for split in result.prepared.content))


def _dataset(result: RunResult, prepared: Prepared, split: Any) -> Dataset:
    data = result.config.data
    uri = data.test.uri if data.test is not None and split == "test" else data.source.uri
    source = without_password(uri)
    return Dataset(
        name=PurePosixPath(source).stem or result.config.name,
        context=split,
        source=source,
        sha256=prepared.content[split],
        num_rows=prepared.num_rows[split],
        kinds={column.name: column.kind for column in prepared.schema.kept},
    )


def report_values(result: RunResult) -> dict[str, Any]:
    """What the report page shows."""
    assert result.prepared and result.searched and result.trained and result.evaluated
    prepared, searched = result.prepared, result.searched
    verdict = result.verdict or Verdict(promoted=False, reasons=("the gate was not asked",))
    records = [record.to_dict() for record in searched.records]
    return {
        **result.to_dict(),
        "task": prepared.target.task,
        "target": prepared.schema.target.name,
        "seed": result.config.seed,
        "num_rows": prepared.num_rows,
        "verdict": verdict.to_dict(),
        "calibration": result.trained.calibration,
        "chosen_on": "the folds of all rows but the test rows" if prepared.plan.num_folds else "the validation rows",
        "slices": result.evaluated.slices,
        "latency_p99_ms": result.evaluated.latency_p99_ms,
        "metric": searched.metric.name,
        "sign": searched.metric.sign,
        "families": result.config.model.families,
        "records": records,
        "search": {
            "costs": result.config.search.costs,
            "pareto": searched.pareto,
            "importance": searched.importance,
            "study": searched.study,
        },
        "findings": [asdict(finding) for finding in prepared.findings],
        "lineage": {
            "source": without_password(result.config.data.source.uri),
            "prepared": prepared.key,
            "searched": searched.key,
            "package": result.trained.package_id,
        },
    }
