"""What runs left behind in the tracker: runs below a dead process's that are open, and what waits for a server.

Lost runs can be resumed all the same.
"""

from __future__ import annotations

from distml.errors import DistmlError, UsageError
from distml.lifecycle.liveness import run_state
from distml.lifecycle.runs import RunRecord, list_runs, read_run
from distml.lifecycle.tracked import SPOOL, open_tracker, outbox_of
from distml.storage import Storage
from distml.tracking.entries import End

_PATIENCE_S = 30.0


def lost_runs(storage: Storage) -> list[str]:
    """Runs of this machine that say that they run, and whose process is gone."""
    return [record["run"] for record in list_runs(storage) if run_state(record) == "lost"]


def unsent_runs(storage: Storage) -> list[str]:
    """Runs that aren't running and of which something waits for the tracker."""
    ended = [record["run"] for record in list_runs(storage) if run_state(record) != "running"]
    return [run for run in ended if storage.list(f"runs/{run}/{SPOOL}")]


def reap(storage: Storage, run: str) -> str | None:
    """Marks a lost run as interrupted and ends its runs in the tracker; why that couldn't be done, None when it was."""
    record = RunRecord(storage, storage.read_json(f"runs/{run}/run.json"))
    try:
        notes = _send(record, is_lost=True) if record.value["stages"] else []  # else it never came to its tracker
    except DistmlError as error:
        notes = [str(error)]
    if notes:
        return f"run {run} stays open in the tracker: {notes[0]}"
    record.write(state="interrupted")
    return None


def send_rest(storage: Storage, run: str) -> list[str]:
    """Sends what of a run waits for the tracker; why something couldn't be sent, in lines.

    Raises `UsageError` for a run that still runs, `StorageError` for a server that is away.
    """
    value = read_run(storage, run)
    if run_state(value) in ("running", "lost"):
        raise UsageError(
            "a run that is over is sent to its tracker", received=f"one that is {run_state(value)}", where=run,
            remedy="a running one sends it itself" if run_state(value) == "running" else f"distml resume {run}",
        )  # fmt: skip
    return _send(RunRecord(storage, value)) if run in unsent_runs(storage) else []


def _send(record: RunRecord, *, is_lost: bool = False) -> list[str]:
    """Sends what waits, and that the run was killed if it is lost; what went wrong, in lines."""
    tracker = open_tracker(record.config, record.storage)
    run = record.value.get("tracking_run") or tracker.find_run("distml.run", record.run)
    if run is None:  # killed before it was started there
        return []
    outbox = outbox_of(tracker, record, run, goes_on=True)
    if is_lost:
        outbox.put(End(status="KILLED"))
    num_left = outbox.close(_PATIENCE_S)
    return [*outbox.notes(), *([f"{num_left:,} entries wait for the tracker"] if num_left else [])]
