"""The run in its tracker: opened at its beginning, told of everything through an outbox, ended with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from distml.config import RunConfig
from distml.errors import StorageError
from distml.lifecycle.publish import MODEL
from distml.lifecycle.reporter import Reporter
from distml.lifecycle.runs import RunRecord
from distml.registry import Version
from distml.secrets import with_secrets
from distml.storage import Storage
from distml.tracking import Outbox, RunStatus, Sender, Spool, Tracker
from distml.tracking.entries import End
from distml.tracking.system import Sampler

SPOOL = "tracking"  # below the run's folder
_PATIENCE_S = 20.0  # with a server that is there and slow
_HURRY_S = 2.0  # for whoever has pressed Ctrl-C


def open_tracker(config: RunConfig, storage: Storage) -> Tracker:
    """MLflow at `tracking.uri`, or in an SQLite database under local storage. Raises `StorageError`."""
    from distml.tracking.mlflow import MlflowTracker, embedded_uri

    experiment = config.tracking.experiment or config.name
    if config.tracking.uri is not None:
        return MlflowTracker(with_secrets(config.tracking.uri), experiment)
    return MlflowTracker(embedded_uri(storage.root), experiment, artifacts=f"{storage.root}/mlflow/artifacts")


def check_tracker(config: RunConfig, storage: Storage) -> None:
    """Raises `UsageError` for a server or database that doesn't answer, or a machine that can't be read to log it."""
    if config.tracking.system_metrics:
        from distml.tracking.system.mlflow import system_reader

        system_reader()
    from distml.lifecycle.doctor import places

    found = places.tracking(config.tracking.uri, storage.root if storage.is_local else None, _PATIENCE_S)
    if found.state == "fail":
        raise StorageError("the tracking server answers", received=found.found, where="tracking", remedy=found.remedy)


@contextmanager
def tracked(
    config: RunConfig, storage: Storage, record: RunRecord, reporter: Reporter, tracker: Tracker | None
) -> Iterator[Outbox]:
    """The run in the tracker (None: the config's), its status the way that the block ended.

    The tracker must answer at the beginning. While it is away later, everything waits in storage, and what it hasn't
    got by the end stays there: `send_rest`. Raises `StorageError`.
    """
    tracker = tracker or open_tracker(config, storage)
    run = _opened(tracker, config, record)
    outbox = outbox_of(tracker, record, run, goes_on=record.goes_on)
    status: RunStatus = "FAILED"
    try:
        with Sampler.of(config.tracking, outbox.put, since_s=_started_at(record)):
            yield outbox
        status = "FINISHED"
    except KeyboardInterrupt:
        status = "KILLED"
        raise
    finally:
        outbox.put(End(status=status))
        wait_s = config.tracking.wait_s
        num_left = outbox.close(min(wait_s, _HURRY_S) if status == "KILLED" else wait_s)
        for note in outbox.notes():
            reporter.stage("track", note)
        if num_left:
            told = f"{num_left:,} entries wait for the tracker: `distml track {record.run}` sends them"
            reporter.stage("track", told)


def outbox_of(tracker: Tracker, record: RunRecord, run: str, *, goes_on: bool) -> Outbox:
    """What a run says to its tracker, where it has the id `run`; what waits in storage is sent first."""
    sender = Sender(tracker, run, record.storage, goes_on=goes_on, mirror=_mirror)
    return Outbox(sender, Spool(record.storage, record.key(SPOOL)))


def _opened(tracker: Tracker, config: RunConfig, record: RunRecord) -> str:
    """The run's id in the tracker, where it is running."""
    run: str | None = record.value.get("tracking_run")
    if run is None and record.goes_on:  # killed before it noted what it had started
        run = tracker.find_run("distml.run", record.run)
    if run is None:
        run = tracker.start_run(record.run, tags={"distml.run": record.run, "distml.model": config.name})
    else:
        tracker.continue_run(run)
    if record.value.get("tracking_run") is None:
        tracker.log(run, params=_flat(config.to_public_dict()))
        record.write(tracking_run=run)
    return run


def _started_at(record: RunRecord) -> float:
    return datetime.fromisoformat(record.value["started_at"]).timestamp()


def _mirror(tracker: Tracker, run: str, version: Mapping[str, Any], alias: str) -> None:
    """The version and its alias in MLflow's registry, where MLflow is the tracker."""
    client = getattr(tracker, "client", None)
    if client is None:
        return
    from distml.registry.mlflow import MlflowMirror

    mirror, known = MlflowMirror(client), Version(**version)
    mirror.register(known, f"runs:/{run}/{MODEL}", run)
    mirror.alias(known, alias)


def _flat(value: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested sections as dotted parameters, which is what a tracker can filter by."""
    flat: dict[str, Any] = {}
    for key, item in value.items():
        name = f"{prefix}{key}"
        if isinstance(item, dict) and item:
            flat |= _flat(item, f"{name}.")
        else:
            flat[name] = item
    return {_safe(key): item for key, item in flat.items()}


def _safe(key: str) -> str:
    """A key within what MLflow allows in a parameter's name."""
    return "".join(c if c.isalnum() or c in "_-. /" else "_" for c in key)[:250]
