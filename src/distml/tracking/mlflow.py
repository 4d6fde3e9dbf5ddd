"""Tracking by MLflow, through `MlflowClient` and explicit run ids alone.

One writer, the driver: trials tell the driver, the driver tells MLflow. So no trial waits for a tracking server, and
an SQLite database never meets two writers. MLflow has no status for a pruned trial: it is FINISHED with the tag
`distml.state: pruned`.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from distml.errors import StorageError
from distml.secrets import without_password
from distml.tracking.base import Point, RunStatus, TrackedRun

_BATCH = 1000  # MLflow's own limit for metrics in one call


def embedded_uri(folder: str) -> str:
    """The URI of the SQLite database that is used when `tracking.uri` is null; `folder` is a local path."""
    return f"sqlite:///{folder}/mlflow/mlflow.db"


@contextlib.contextmanager
def answering(uri: str) -> Iterator[None]:
    """MLflow's errors, and those of the disk below it, as `StorageError`, with what to do about them."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError, OSError) as error:
        raise StorageError(
            "the tracking server answers",
            received=without_password(str(error).partition("\n")[0])[:200],
            where=f"tracking.uri {without_password(uri)}",
            remedy="start it, or set tracking.uri: null for a database under storage",
        ) from error


class MlflowTracker:
    """Implements `Tracker`.

    uri: a tracking server's or a database's; artifacts: where the artifacts of a new experiment go, None for the
    server's own choice. Raises `StorageError` when the server can't be reached.
    """

    def __init__(self, uri: str, experiment: str, artifacts: str | None = None) -> None:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        _quiet()
        from mlflow.tracking import MlflowClient

        self.uri = uri
        with answering(uri):
            if uri.startswith("sqlite:///"):
                _create_database(Path(uri.removeprefix("sqlite:///")))
            self.client = MlflowClient(tracking_uri=uri, registry_uri=uri)
            found = self.client.get_experiment_by_name(experiment)
            self._experiment = (
                found.experiment_id if found else self.client.create_experiment(experiment, artifact_location=artifacts)
            )
        self._open: set[str] = set()

    def start_run(self, name: str, *, parent: str | None = None, tags: Mapping[str, str] | None = None) -> str:
        all_tags = dict(tags or {})
        if parent is not None:
            all_tags["mlflow.parentRunId"] = parent
        with answering(self.uri):
            run = self.client.create_run(self._experiment, run_name=name, tags=all_tags).info.run_id
        self._open.add(run)
        return run

    def continue_run(self, run: str) -> None:
        with answering(self.uri):
            self.client.update_run(run, status="RUNNING")
        self._open.add(run)

    def children(self, run: str) -> list[TrackedRun]:
        found: list[TrackedRun] = []
        page: str | None = None
        with answering(self.uri):
            while page != "":
                runs = self.client.search_runs(
                    [self._experiment], f"tags.`mlflow.parentRunId` = '{run}'", max_results=1000, page_token=page
                )
                found += [TrackedRun(run=r.info.run_id, status=r.info.status, tags=r.data.tags) for r in runs]
                page = runs.token or ""
        return found

    def find_run(self, tag: str, value: str) -> str | None:
        with answering(self.uri):
            found = self.client.search_runs([self._experiment], f"tags.`{tag}` = '{value}'", max_results=1)
        return found[0].info.run_id if found else None

    def last_step(self, run: str, metric: str) -> int | None:
        with answering(self.uri):
            return max((value.step for value in self.client.get_metric_history(run, metric)), default=None)

    def log_params(self, run: str, params: Mapping[str, Any]) -> None:
        from mlflow.entities import Param

        entries = [Param(key, str(value)[:6000]) for key, value in params.items()]
        with answering(self.uri):
            for start in range(0, len(entries), 100):
                self.client.log_batch(run, params=entries[start : start + 100])

    def log_points(self, run: str, points: Sequence[Point]) -> None:
        from mlflow.entities import Metric

        metrics = [Metric(p.metric, p.value, p.timestamp_ms, p.step) for p in points if math.isfinite(p.value)]
        with answering(self.uri):
            for start in range(0, len(metrics), _BATCH):
                self.client.log_batch(run, metrics=metrics[start : start + _BATCH])

    def log_artifacts(self, run: str, folder: Path, path: str) -> None:
        with answering(self.uri):
            if folder.is_file():
                self.client.log_artifact(run, str(folder), path or None)
            else:
                self.client.log_artifacts(run, str(folder), path or None)

    def set_tags(self, run: str, tags: Mapping[str, str]) -> None:
        from mlflow.entities import RunTag

        with answering(self.uri):
            self.client.log_batch(run, tags=[RunTag(key, str(value)) for key, value in tags.items()])

    def end_run(self, run: str, status: RunStatus) -> None:
        with answering(self.uri):
            self.client.set_terminated(run, status)
        self._open.discard(run)

    def close(self) -> None:
        with answering(self.uri):
            for run in sorted(self._open):
                self.client.set_terminated(run, "KILLED")
        self._open.clear()


def _create_database(path: Path) -> None:
    """Makes a database with MLflow's tables, where there is none: beside its place, and put there when it is whole.

    A process that is killed while MLflow makes its tables, or two that make them together, leave a database that
    MLflow can never open again.
    """
    if path.exists():
        return
    from mlflow.tracking import MlflowClient

    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".tmp-", dir=path.parent) as folder:
        draft = Path(folder) / path.name
        MlflowClient(tracking_uri=f"sqlite:///{draft}").search_experiments(max_results=1)
        with contextlib.suppress(FileExistsError):  # another process was first
            os.link(draft, path)


def _quiet() -> None:
    """MLflow and its database migration log at INFO on the first use of a fresh database."""
    import mlflow.store.db.utils  # noqa: F401 - sets the level when it is imported, so it comes first

    for name in ("mlflow", "mlflow.store.db.utils", "alembic", "alembic.runtime.migration"):
        logging.getLogger(name).setLevel(logging.WARNING)
