"""What a run shows of itself: its report page, and report, metrics and package in the tracker."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from distml.evaluation import Verdict
from distml.evaluation.page import render
from distml.lifecycle.result import RunResult
from distml.lifecycle.runs import RunRecord
from distml.secrets import without_password
from distml.tracking import Point, Tracker


def publish(result: RunResult, tracker: Tracker, record: RunRecord) -> None:
    """The report in storage; report, metrics and package in the tracker; the version mirrored."""
    assert result.evaluated and result.trained and result.tracking_run
    page = render(report_values(result)).encode()
    result.storage.write_bytes(record.key("report.html"), page)
    result.report = result.storage.uri(record.key("report.html"))
    now = int(time.time() * 1000)
    metrics = {f"test_{name}": value for name, value in result.evaluated.metrics.items()}
    metrics |= {f"validation_{name}": value for name, value in result.trained.validation.items()}
    if tracker.last_step(result.tracking_run, next(iter(metrics))) is None:  # else logged before it was cut off
        tracker.log_points(result.tracking_run, [Point(name, value, 0, now) for name, value in metrics.items()])
    with result.storage.local_folder(f"runs/{result.run}") as folder:
        tracker.log_artifacts(result.tracking_run, Path(folder) / "report.html", "")
    with result.storage.local_folder(result.trained.package) as folder:
        tracker.log_artifacts(result.tracking_run, Path(folder), "package")
    if result.version is not None and result.verdict is not None:
        tags = {"distml.version": str(result.version.number), "distml.promoted": str(result.verdict.promoted)}
        tracker.set_tags(result.tracking_run, tags)
        _mirror(result, tracker)


def _mirror(result: RunResult, tracker: Tracker) -> None:
    """The version and its alias in MLflow's registry, where MLflow is the tracker."""
    client = getattr(tracker, "client", None)
    if client is None:
        return
    from distml.registry.mlflow import MlflowMirror

    assert result.version and result.verdict and result.tracking_run
    mirror = MlflowMirror(client)
    mirror.register(result.version, f"runs:/{result.tracking_run}/package", result.tracking_run)
    mirror.alias(result.version, "champion" if result.verdict.promoted else "challenger")


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
        "slices": result.evaluated.slices,
        "latency_p99_ms": result.evaluated.latency_p99_ms,
        "metric": searched.metric.name,
        "sign": searched.metric.sign,
        "families": result.config.model.families,
        "records": records,
        "findings": [asdict(finding) for finding in prepared.findings],
        "lineage": {
            "source": without_password(result.config.data.source.uri),
            "prepared": prepared.key,
            "searched": searched.key,
            "package": result.trained.package_id,
        },
    }
