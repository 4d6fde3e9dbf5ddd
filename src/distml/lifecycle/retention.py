"""What is deleted from storage to make room: what nothing kept refers to, and what was left half-written.

A version whose package goes is marked in the registry first.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from distml.errors import StorageError, UsageError
from distml.lifecycle.claims import Claims, Retention, claims_of
from distml.lifecycle.stages import FOLDERS
from distml.lifecycle.stages import RESULT as STAGE
from distml.reading.handed import FOLDER as TABLES
from distml.reading.handed import RESULT as TABLE
from distml.registry import StoreRegistry, Version
from distml.storage import Storage

# By which a folder is taken up.
RESULT = {"runs": "run.json", TABLES: TABLE} | dict.fromkeys(FOLDERS.values(), STAGE)
GRACE_S = 3600.0  # for what is half-written, whoever writes it


@dataclass(frozen=True, kw_only=True)
class Item:
    """Something to delete. kind: the folder of storage that it is in, or `leftovers`."""

    kind: str
    key: str
    num_bytes: int


@dataclass(frozen=True, kw_only=True)
class Collection:
    """What goes: versions lose their package, items are deleted."""

    versions: tuple[Version, ...]
    items: tuple[Item, ...]

    @property
    def num_bytes(self) -> int:
        return sum(item.num_bytes for item in self.items)

    def to_dict(self) -> dict[str, Any]:
        kinds = {kind: [item for item in self.items if item.kind == kind] for kind in (*RESULT, "leftovers")}
        return {
            "num_bytes": self.num_bytes,
            "kinds": {
                kind: {"num": len(items), "num_bytes": sum(item.num_bytes for item in items)}
                for kind, items in kinds.items()
            },
            "pruned": [version.label for version in self.versions],
            "items": [item.__dict__ for item in self.items],
        }


def plan(storage: Storage, retention: Retention, now_s: float | None = None) -> Collection:
    """What would be deleted; nothing is. now_s: the time in seconds since 1970, None for the clock's."""
    claims = claims_of(storage, retention)
    now_s = time.time() if now_s is None else now_s
    folders = [item for kind in RESULT for item in _unclaimed(storage, kind, claims, now_s)]
    gone = {item.key for item in folders}
    leftovers = [item for item in _leftovers(storage, claims, now_s) if not gone & set(_above(item.key))]
    return Collection(versions=claims.excess, items=(*folders, *leftovers))


def collect(storage: Storage, planned: Collection, retention: Retention, by: str) -> Collection:
    """Deletes what was planned, but for what something refers to by now; returns what was deleted."""
    registry = StoreRegistry(storage)
    pruned = []
    reasons = (f"not among the newest {retention.versions}",)
    for version in planned.versions:
        try:
            registry.prune(version.name, version.number, reasons=reasons, by=by)
        except UsageError:
            continue  # it has become champion, or will be by a rollback
        pruned.append(version)
    claims = claims_of(storage, retention)
    items = tuple(item for item in planned.items if item.key not in claims.keys)
    for item in items:
        _delete(storage, item)
    return Collection(versions=tuple(pruned), items=items)


def _unclaimed(storage: Storage, kind: str, claims: Claims, now_s: float) -> Iterable[Item]:
    for name in storage.list(kind):
        key = f"{kind}/{name}"
        if key in claims.keys:
            continue
        usage = storage.usage(key)
        if storage.exists(f"{key}/{RESULT[kind]}"):
            in_use = kind != "runs" and usage.changed_at >= claims.living_since  # not yet in its run's record
            in_use |= kind == TABLES and usage.changed_at >= now_s - GRACE_S  # whose run has no record yet
        else:
            in_use = usage.changed_at >= min(claims.unfinished_since, now_s - GRACE_S)
        if not in_use and usage.changed_at > 0:
            yield Item(kind=kind, key=key, num_bytes=usage.num_bytes)


def _leftovers(storage: Storage, claims: Claims, now_s: float) -> Iterable[Item]:
    for key in storage.leftovers():
        usage = storage.usage(key)
        if 0 < usage.changed_at < min(claims.living_since, now_s - GRACE_S):  # 0: it is gone by now
            yield Item(kind="leftovers", key=key, num_bytes=usage.num_bytes)


def _above(key: str) -> list[str]:
    return [str(parent) for parent in PurePosixPath(key).parents]


def _delete(storage: Storage, item: Item) -> None:
    """Takes away first what makes a folder whole: a stage that loses its power here was never finished."""
    try:
        if item.kind in RESULT:
            storage.delete(f"{item.key}/{RESULT[item.kind]}")
        storage.delete(item.key)
    except OSError as error:
        raise StorageError(
            "storage must be writable", received=error.strerror or str(error), where=storage.uri(item.key)
        ) from error
