"""Whether the process that a record speaks of is still there: for runs that say "running", and services.

A process is known by its id and the moment that it began, because ids are given out again. Storage may be shared
with other machines, of whose processes nothing can be said here.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def this_process() -> dict[str, Any]:
    """What a record keeps of the process that writes it: `pid`, `host`, `born`."""
    return {"pid": os.getpid(), "host": socket.gethostname(), "born": born(os.getpid())}


def born(pid: int) -> str | None:
    """The boot and the clock tick that a process began at, which no other process of its id shares.

    None for a process that isn't there or has ended, and where the system has no /proc.
    """
    start = _start_ticks(pid)
    return None if start is None else f"{_boot()}:{start}"


def is_alive(pid: int, since: str | None = None) -> bool:
    """Whether a process of this machine runs, and is the one that `born` gave `since` for (None: any of that id).

    A process that has ended and that nobody has waited for yet isn't alive.
    """
    if Path("/proc/self/stat").exists():
        return born(pid) is not None if since is None else born(pid) == since
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return True


def is_here(record: Mapping[str, Any]) -> bool:
    """Whether a record's process is, or was, one of this machine."""
    return record.get("host") == socket.gethostname()


def owner_is_alive(record: Mapping[str, Any]) -> bool:
    """Whether the process of this machine that a record names is still there; False for other machines'."""
    return is_here(record) and is_alive(record["pid"], record.get("born"))


def run_state(record: Mapping[str, Any]) -> str:
    """A run's state, told honestly: `lost` where it says that it is running but its process is gone.

    What another machine runs, or a record that names no process, is believed.

    >>> run_state({"state": "finished", "pid": 1, "host": "elsewhere"}), run_state({"state": "running"})
    ('finished', 'running')
    """
    state: str = record["state"]
    if state != "running" or "pid" not in record or not is_here(record):
        return state
    return state if owner_is_alive(record) else "lost"


def _start_ticks(pid: int) -> str | None:
    """When a living process began, in clock ticks since boot."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()  # the name before it may hold spaces and brackets
    state, start = fields[0], fields[19]
    return None if state in "ZX" else start


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
