"""Tracking by MLflow, through `MlflowClient` and explicit run ids alone.

A metric's value with its time and step is a primary key of MLflow's databases, so that what is logged twice is there
once. MLflow has no status for a pruned trial: it is FINISHED with the tag `distml.state: pruned`.
"""

from __future__ import annotations

import contextlib
import json
import logging
import math
import os
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from distml.errors import StorageError
from distml.secrets import without_password
from distml.tracking.base import Dataset, Point, RefusedError, RunStatus, TrackedRun

_NUM_POINTS, _NUM_TEXTS = 800, 100  # MLflow's limits for one call: 1000 things in all, of which 100 params and 100 tags
_LONGEST_DIGEST = 36
# What says that the server has understood, and that asking again would change nothing.
_REFUSALS = ("INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST", "RESOURCE_ALREADY_EXISTS", "INVALID_STATE",
             "BAD_REQUEST", "ENDPOINT_NOT_FOUND", "NOT_IMPLEMENTED", "FEATURE_DISABLED")  # fmt: skip
_TYPES = {"numeric": "double", "boolean": "boolean", "datetime": "datetime", "image": "binary"}  # else string


def embedded_uri(folder: str) -> str:
    """The URI of the SQLite database that is used when `tracking.uri` is null; `folder` is a local path."""
    return f"sqlite:///{folder}/mlflow/mlflow.db"


def _batched(items: Sequence[Any], size: int) -> list[Sequence[Any]]:
    return [items[start : start + size] for start in range(0, len(items), size)]


_PATIENCE = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",  # by default it tries for minutes; who calls knows what can wait
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
_patient: dict[str, str] = {}  # settings that are made now, and by how many threads
_num_patient = 0
_patience_lock = threading.Lock()


@contextlib.contextmanager
def _patience() -> Iterator[None]:
    """Our settings of MLflow's client for a block, unless the user made them: it takes them from the environment alone,
    where what else uses MLflow in this process finds them too, so they are there no longer than they must."""
    global _num_patient
    with _patience_lock:
        if _num_patient == 0:
            _patient.update({name: value for name, value in _PATIENCE.items() if name not in os.environ})
            os.environ.update(_patient)
        _num_patient += 1
    try:
        yield
    finally:
        with _patience_lock:
            _num_patient -= 1
            if _num_patient == 0:
                for name in _patient:
                    os.environ.pop(name, None)
                _patient.clear()


@contextlib.contextmanager
def answering(uri: str) -> Iterator[None]:
    """MLflow's errors, and those of the disk below it, as `StorageError`, with what to do about them.

    What MLflow has understood and refuses is a `RefusedError`.
    """
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        with _patience():
            yield
    except (MlflowException, SQLAlchemyError, OSError) as error:
        told = without_password(str(error).partition("\n")[0])[:200]
        where = f"tracking.uri {without_password(uri)}"
        if getattr(error, "error_code", None) in _REFUSALS:
            raise RefusedError("the tracking server takes what it is told", received=told, where=where) from error
        raise StorageError(
            "the tracking server answers",
            received=told,
            where=where,
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
                _create_database(uri)
            self.client = MlflowClient(tracking_uri=uri, registry_uri=uri)
            self._experiment = self._experiment_of(experiment, artifacts)

    def _experiment_of(self, name: str, artifacts: str | None) -> str:
        from mlflow.exceptions import MlflowException

        found = self.client.get_experiment_by_name(name)
        if found is None:
            try:
                return self.client.create_experiment(name, artifact_location=artifacts)
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":  # else another driver was first
                    raise
                found = self.client.get_experiment_by_name(name)
        assert found is not None
        return found.experiment_id

    def start_run(
        self, name: str, *, parent: str | None = None, tags: Mapping[str, str] | None = None, at_ms: int | None = None
    ) -> str:
        all_tags = dict(tags or {})
        if parent is not None:
            all_tags["mlflow.parentRunId"] = parent
        with answering(self.uri):
            return self.client.create_run(self._experiment, at_ms, all_tags, run_name=name).info.run_id

    def continue_run(self, run: str) -> None:
        with answering(self.uri):
            self.client.update_run(run, status="RUNNING")

    def children(self, run: str) -> list[TrackedRun]:
        found: list[TrackedRun] = []
        page: str | None = None
        with answering(self.uri):
            while page != "":
                runs = self.client.search_runs(
                    [self._experiment], f"tags.`mlflow.parentRunId` = '{run}'", max_results=1000, page_token=page
                )
                found += [
                    TrackedRun(run=r.info.run_id, status=r.info.status, tags=r.data.tags, params=r.data.params)
                    for r in runs
                ]
                page = runs.token or ""
        return found

    def find_run(self, tag: str, value: str) -> str | None:
        with answering(self.uri):
            found = self.client.search_runs([self._experiment], f"tags.`{tag}` = '{value}'", max_results=1)
        return found[0].info.run_id if found else None

    def last_step(self, run: str, metric: str) -> int | None:
        with answering(self.uri):
            return max((value.step for value in self.client.get_metric_history(run, metric)), default=None)

    def log(
        self,
        run: str,
        *,
        params: Mapping[str, Any] | None = None,
        points: Sequence[Point] = (),
        tags: Mapping[str, str] | None = None,
    ) -> None:
        from mlflow.entities import Metric, Param, RunTag

        metrics = [Metric(p.metric, p.value, p.timestamp_ms, p.step) for p in points if math.isfinite(p.value)]
        calls = zip_longest(
            _batched(metrics, _NUM_POINTS),
            _batched([Param(key, str(value)[:6000]) for key, value in (params or {}).items()], _NUM_TEXTS),
            _batched([RunTag(key, str(value)[:8000]) for key, value in (tags or {}).items()], _NUM_TEXTS),
            fillvalue=(),
        )
        with answering(self.uri):
            for some_metrics, some_params, some_tags in calls:
                self.client.log_batch(run, metrics=some_metrics, params=some_params, tags=some_tags, synchronous=True)

    def log_datasets(self, run: str, datasets: Sequence[Dataset]) -> None:
        with answering(self.uri):
            self.client.log_inputs(run, [_input(dataset) for dataset in datasets])

    def log_artifacts(self, run: str, folder: Path, path: str) -> None:
        with answering(self.uri):
            if folder.is_file():
                self.client.log_artifact(run, str(folder), path or None)
            else:
                self.client.log_artifacts(run, str(folder), path or None)

    def end_run(self, run: str, status: RunStatus, at_ms: int | None = None) -> None:
        with answering(self.uri):
            self.client.set_terminated(run, status, at_ms)


def _input(dataset: Dataset) -> Any:
    """The `DatasetInput` of a dataset: what MLflow's own `log_input` writes, with a digest of all rows.

    MLflow's digests have at most 36 characters; all of them stand in the profile.
    """
    from mlflow.entities import Dataset as MlflowDataset
    from mlflow.entities import DatasetInput, InputTag

    scheme, separator, _ = dataset.source.partition(":")
    columns = [
        {"name": name, "type": _TYPES.get(kind, "string"), "required": False} for name, kind in dataset.kinds.items()
    ]
    entity = MlflowDataset(
        name=dataset.name,
        digest=dataset.sha256[:_LONGEST_DIGEST],
        source_type=scheme if separator else "local",
        source=json.dumps({"uri": dataset.source}),
        schema=json.dumps({"mlflow_colspec": columns}),
        profile=json.dumps({"num_rows": dataset.num_rows, "sha256": dataset.sha256}),
    )
    return DatasetInput(entity, [InputTag("mlflow.data.context", dataset.context)])


def _create_database(uri: str) -> None:
    """Makes a database with MLflow's tables, where there is none: beside its place, and put there when it is whole.

    A process that is killed while MLflow makes its tables, or two that make them together, leave a database that
    MLflow can never open again.
    """
    path = Path(uri.removeprefix("sqlite:///").partition("?")[0])
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
