"""A search is one process's at a time: another process of the same machine that comes to it waits."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from typing import Any

from distml.errors import NotFoundError
from distml.lifecycle.liveness import owner_is_alive, this_process
from distml.lifecycle.stages import RESULT
from distml.storage import Storage
from distml.tune import SearchListener

_POLL_S = 0.5


def wait_for_owner(storage: Storage, folder: str, listener: SearchListener) -> None:
    """Waits while another process of this machine is at the same search: two would run every trial twice."""
    is_told = False
    while not storage.exists(f"{folder}/{RESULT}"):
        owner = _owner(storage, folder)
        if owner is None or owner["pid"] == os.getpid() or not owner_is_alive(owner):
            return
        if not is_told:
            listener.on_note(f"waits for process {owner['pid']}, which is at the same search")
            is_told = True
        time.sleep(_POLL_S)


@contextlib.contextmanager
def owned(storage: Storage, folder: str) -> Iterator[None]:
    """The search as this process's own, for those that come meanwhile."""
    storage.write_json(f"{folder}/owner.json", this_process())
    try:
        yield
    finally:
        storage.delete(f"{folder}/owner.json")


def _owner(storage: Storage, folder: str) -> dict[str, Any] | None:
    try:
        return storage.read_json(f"{folder}/owner.json")
    except NotFoundError:
        return None
