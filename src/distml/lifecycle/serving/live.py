"""Services of this machine: the record that each keeps of itself."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from distml.errors import NotFoundError, StorageError
from distml.lifecycle.liveness import owner_is_alive, this_process
from distml.registry import Version
from distml.registry.base import now
from distml.storage import Storage, content_hash

_POLL_S = 0.5


def services(storage: Storage) -> list[LiveRecord]:
    """The live records of a storage, whether or not anything answers to them."""
    names = [name.removesuffix(".json") for name in storage.list("live") if name.endswith(".json")]
    return [LiveRecord(storage, name) for name in names]


@contextlib.contextmanager
def exclusive(storage: Storage, what: str) -> Iterator[None]:
    """One process of this machine at a time, others wait. Free as soon as the process is gone."""
    place = content_hash(storage.root, what)
    with open(Path(tempfile.gettempdir()) / f".distml-{os.getuid()}-{place}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


class LiveRecord:
    """`live/<name>.json`: where a model is served by a process of this machine, for other commands to find."""

    def __init__(self, storage: Storage, name: str) -> None:
        self._storage = storage
        self._key = f"live/{name}.json"
        self.name = name

    def write(
        self,
        url: str,
        version: Version,
        address: str,
        token_path: Path | None,
        *,
        holder: Mapping[str, Any] | None = None,
        listens: str = "",
    ) -> None:
        """Notes that this process serves a version.

        address: of its cluster; token_path: of what opens a local one, which `holder` holds, this process by default;
        listens: how the endpoint does, for models that come to be served beside this one.
        """
        at, this = now(), this_process()
        told = {"name": self.name, "url": url, "version": version.number, "started_at": at, "since": at}
        where = {
            "address": address,
            "token_path": None if token_path is None else str(token_path),
            "cluster": None if token_path is None else dict(holder or this),
            "listens": listens,
        }
        self._storage.write_json(self._key, {**told, **this, **where})

    def update_version(self, version: Version) -> None:
        value = self._storage.read_json(self._key)
        if value["version"] != version.number:
            self._storage.write_json(self._key, {**value, "version": version.number, "since": now()})

    def read(self) -> dict[str, Any] | None:
        """The record of a service whose process and cluster are alive on this machine, else None."""
        value = self.last()
        return value if value is not None and is_served(value) else None

    def last(self) -> dict[str, Any] | None:
        """The record as it was written last, also of a service that is gone or on another machine."""
        try:
            return self._storage.read_json(self._key)
        except (NotFoundError, StorageError):
            return None

    def wait(self) -> None:
        """Until the model is no longer served."""
        while self.read() is not None:
            time.sleep(_POLL_S)

    def remove(self) -> None:
        self._storage.delete(self._key)

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """For whoever changes what is served: one at a time, others wait. Free as soon as the process is gone."""
        with exclusive(self._storage, self.name):
            yield


def is_served(record: Mapping[str, Any]) -> bool:
    """Whether the process of a record is alive, and the one that holds its local cluster."""
    cluster = record["cluster"]
    return owner_is_alive(record) and (cluster is None or owner_is_alive(cluster))


def is_guest(record: Mapping[str, Any]) -> bool:
    """Whether a service runs on a local cluster that another process holds."""
    cluster = record["cluster"]
    return cluster is not None and (cluster["pid"], cluster["born"]) != (record["pid"], record["born"])
