"""Runs whose process is gone: what they left open in the tracker is closed. They can be resumed all the same."""

from __future__ import annotations

from typing import Any

from distml.errors import DistmlError
from distml.lifecycle.liveness import run_state
from distml.lifecycle.run import open_tracker
from distml.lifecycle.runs import RunRecord, list_runs
from distml.storage import Storage


def lost_runs(storage: Storage) -> list[str]:
    """Runs of this machine that say that they run, and whose process is gone."""
    return [record["run"] for record in list_runs(storage) if run_state(record) == "lost"]


def reap(storage: Storage, run: str) -> str | None:
    """Marks a lost run as interrupted and ends its runs in the tracker; why that couldn't be done, None when it was."""
    value = storage.read_json(f"runs/{run}/run.json")
    record = RunRecord(storage, value)
    try:
        if value.get("tracking_run") is not None:
            _end_tracked(record, value["tracking_run"])
    except DistmlError as error:
        return f"run {run} stays open in the tracker: {error}"
    record.write(state="interrupted")
    return None


def _end_tracked(record: RunRecord, parent: Any) -> None:
    tracker = open_tracker(record.config, record.storage)
    try:
        for child in tracker.children(parent):
            if child.status == "RUNNING":
                tracker.end_run(child.run, "KILLED")
        tracker.end_run(parent, "KILLED")
    finally:
        tracker.close()
