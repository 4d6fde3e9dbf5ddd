"""Services of this machine: the record that each keeps of itself, and how one is ended."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

from distml.errors import DistmlError, NotFoundError, StorageError, UsageError
from distml.lifecycle.liveness import is_here, owner_is_alive, this_process
from distml.registry import Version
from distml.registry.base import now
from distml.storage import Storage, content_hash

Ending = Literal["ended", "killed", "gone before"]
_POLL_S = 0.1


def services(storage: Storage) -> list[LiveRecord]:
    """The live records of a storage, whether or not anything answers to them."""
    names = [name.removesuffix(".json") for name in storage.list("live") if name.endswith(".json")]
    return [LiveRecord(storage, name) for name in names]


def services_here(storage: Storage, say: Callable[[str], None]) -> list[str]:
    """The models with a live record of this machine; of the others it is said where they are."""
    names = []
    for live in services(storage):
        record = live.last()
        if record is not None and is_here(record):
            names.append(live.name)
        elif record is not None:
            say(f"distml: {live.name} is served by {record.get('host')}; it is ended there")
    return names


class LiveRecord:
    """`live/<name>.json`: where a model is served by a process of this machine, for other commands to find."""

    def __init__(self, storage: Storage, name: str) -> None:
        self._storage = storage
        self._key = f"live/{name}.json"
        self.name = name

    def write(self, url: str, version: Version, address: str, token_path: Path | None) -> None:
        """Notes that this process serves a version. address: of its cluster; token_path: of what opens a local one."""
        at = now()
        told = {"name": self.name, "url": url, "version": version.number, "started_at": at, "since": at}
        self._storage.write_json(
            self._key,
            {
                **told,
                **this_process(),
                "address": address,
                "token_path": None if token_path is None else str(token_path),
            },
        )

    def update_version(self, version: Version) -> None:
        value = self._storage.read_json(self._key)
        if value["version"] != version.number:
            self._storage.write_json(self._key, {**value, "version": version.number, "since": now()})

    def read(self) -> dict[str, Any] | None:
        """The record of a service whose process is alive on this machine, else None."""
        value = self.last()
        return value if value is not None and owner_is_alive(value) else None

    def last(self) -> dict[str, Any] | None:
        """The record as it was written last, also of a service that is gone or on another machine."""
        try:
            return self._storage.read_json(self._key)
        except (NotFoundError, StorageError):
            return None

    def remove(self) -> None:
        self._storage.delete(self._key)

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """For whoever changes what is served: one at a time, others wait. Free as soon as the process is gone."""
        place = content_hash(self._storage.root, self.name)
        with open(Path(tempfile.gettempdir()) / f".distml-{os.getuid()}-{place}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def end(live: LiveRecord, say: Callable[[str], None], patience_s: float = 30.0) -> Ending:
    """Ends a service by SIGTERM, by SIGKILL if it takes longer than it should, and removes its record.

    Raises `NotFoundError` when the model isn't served, `UsageError` when that is on another machine or not ours.
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
    how: Ending = "ended"
    _signal(record, signal.SIGTERM)
    if not _has_ended(record, patience_s):
        say(f"distml: {live.name} (process {record['pid']}) did not end within {patience_s:g} s; it is killed now")
        _signal(record, signal.SIGKILL)
        how = "killed"
        if not _has_ended(record, patience_s):
            raise DistmlError("a killed process ends", received=f"process {record['pid']} has not", where=live.name)
    _forget(live, record)
    return how


def _forget(live: LiveRecord, record: dict[str, Any]) -> None:
    """Removes the record of a service that is gone, not that of one which began meanwhile."""
    last = live.last()
    if last is not None and (last["pid"], last["started_at"]) == (record["pid"], record["started_at"]):
        live.remove()


def _signal(record: dict[str, Any], number: signal.Signals) -> None:
    try:
        os.kill(record["pid"], number)
    except ProcessLookupError:
        return
    except PermissionError as error:
        raise UsageError(
            "a service is ended by whoever started it", received=f"process {record['pid']} of another user",
            where=record["name"],
        ) from error  # fmt: skip


def _has_ended(record: dict[str, Any], patience_s: float) -> bool:
    deadline = time.monotonic() + patience_s
    while owner_is_alive(record):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_S)
    return True
