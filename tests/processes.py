"""Waiting for other processes, and those that this one has begun, directly or not, as Linux lists them."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path


def descendants(name: str = "ray::", of: int | None = None) -> set[int]:
    """Ids of those whose command begins with `name`; what dies meanwhile is left out. of: another one's descendants."""
    of = of or os.getpid()
    parents, commands = {}, {}
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            commands[int(process.name)] = (process / "cmdline").read_bytes()
            parents[int(process.name)] = int((process / "stat").read_text().rpartition(")")[2].split()[1])
    return {
        pid for pid, command in commands.items() if command.startswith(name.encode()) and _descends(pid, of, parents)
    }


def _descends(pid: int, of: int, parents: dict[int, int]) -> bool:
    while pid in parents:
        pid = parents[pid]
        if pid == of:
            return True
    return False


def until(condition: Callable[[], object], timeout_s: float = 120) -> None:
    """Waits for a condition, which is to hold in time."""
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


def gone(pids: set[int], timeout_s: float = 60) -> bool:
    """Whether all of these end in time."""
    end = time.monotonic() + timeout_s
    while pids and time.monotonic() < end:
        pids = {pid for pid in pids if Path(f"/proc/{pid}").exists()}
        time.sleep(0.1)
    return not pids
