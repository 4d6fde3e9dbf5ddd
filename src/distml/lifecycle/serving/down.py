"""How services are ended: one model, or all of a storage.

A model's process ends with it, but for one that holds a local cluster on which others are served: that takes its own
model down and goes on until the last of them is gone.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from distml.cluster.guests import Guests
from distml.errors import DistmlError, NotFoundError, UsageError
from distml.lifecycle.liveness import is_here, owner_is_alive
from distml.lifecycle.serving.live import LiveRecord, is_guest, services
from distml.storage import Storage

Ending = Literal["ended", "killed", "gone before"]
Say = Callable[[str], None]
_POLL_S = 0.1


def end_all(storage: Storage, say: Say, patience_s: float = 30.0) -> dict[str, Ending]:
    """Ends every service of this machine, and the local clusters that they ran on; how, by model.

    Of services of other machines it is said where they are. Raises what `end` raises.
    """
    lives = services_here(storage, say)
    records = [record for record in (live.last() for live in lives) if record is not None]
    clusters = {record["cluster"]["pid"]: record["cluster"] for record in records if record["cluster"]}
    endings = {live.name: end(live, say, patience_s) for live in lives}
    for pid, cluster in clusters.items():
        if not _has_ended(cluster, patience_s):
            say(f"distml: process {pid} goes on for a model that has come to be served on its cluster")
    return endings


def services_here(storage: Storage, say: Say) -> list[LiveRecord]:
    """What is served by this machine, guests before those that hold their cluster; of the others it is said where
    they are."""
    guests: list[LiveRecord] = []
    holders: list[LiveRecord] = []
    for live in services(storage):
        record = live.last()
        if record is not None and is_here(record):
            (guests if is_guest(record) else holders).append(live)
        elif record is not None:
            say(f"distml: {live.name} is served by {record.get('host')}; it is ended there")
    return guests + holders


def end(live: LiveRecord, say: Say, patience_s: float = 30.0) -> Ending:
    """Ends a service by SIGTERM, by SIGKILL if it takes longer than it should, and removes its record.

    Raises `NotFoundError` when the model isn't served, `UsageError` when that is on another machine or not ours,
    `DistmlError` when it doesn't end and a SIGKILL would end other models too.
    """
    record = live.last()
    if record is None:
        raise NotFoundError("a model is served before it is taken down", received=live.name)
    if not is_here(record):
        raise UsageError(
            "a service is ended on its own machine", received=f"{live.name} is served by {record.get('host')}",
            remedy=f"distml down {live.name} there",
        )  # fmt: skip
    if not owner_is_alive(record):
        _forget(live, record)
        return "gone before"
    _signal(record, signal.SIGTERM)
    if _is_down(live, record, patience_s):
        return "ended"
    _kill(live, record, say, patience_s)
    return "killed"


def _kill(live: LiveRecord, record: dict[str, Any], say: Say, patience_s: float) -> None:
    others = _others(record)
    if others:
        raise DistmlError(
            f"a model is taken down within {patience_s:g} s",
            received=f"process {record['pid']} still serves {live.name}, and its cluster {', '.join(others)} too",
            remedy="distml down, which ends them all",
        )
    say(f"distml: {live.name} (process {record['pid']}) did not end within {patience_s:g} s; it is killed now")
    _signal(record, signal.SIGKILL)
    if not _has_ended(record, patience_s):
        raise DistmlError("a killed process ends", received=f"process {record['pid']} has not", where=live.name)
    _forget(live, record)


def _is_down(live: LiveRecord, record: dict[str, Any], patience_s: float) -> bool:
    """Whether a model's process has ended in time, or its record, where the process stays for others."""
    deadline = time.monotonic() + patience_s
    while owner_is_alive(record):
        if time.monotonic() > deadline:
            return False
        if not _is_current(live, record) and _others(record):
            return True
        time.sleep(_POLL_S)
    _forget(live, record)
    return True


def _others(record: Mapping[str, Any]) -> list[str]:
    """Models that other processes serve on the cluster which a service's process holds."""
    if is_guest(record) or record["token_path"] is None:
        return []
    return Guests(Path(record["token_path"]).parent).names()


def _is_current(live: LiveRecord, record: Mapping[str, Any]) -> bool:
    last = live.last()
    return last is not None and (last["pid"], last["started_at"]) == (record["pid"], record["started_at"])


def _forget(live: LiveRecord, record: Mapping[str, Any]) -> None:
    """Removes the record of a service that is gone, not that of one which began meanwhile."""
    if _is_current(live, record):
        live.remove()


def _signal(record: Mapping[str, Any], number: signal.Signals) -> None:
    try:
        os.kill(record["pid"], number)
    except ProcessLookupError:
        return
    except PermissionError as error:
        raise UsageError(
            "a service is ended by whoever started it", received=f"process {record['pid']} of another user",
            where=record["name"],
        ) from error  # fmt: skip


def _has_ended(process: Mapping[str, Any], patience_s: float) -> bool:
    deadline = time.monotonic() + patience_s
    while owner_is_alive(process):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_S)
    return True
