"""Revoked tokens: a record in storage that running replicas read again every few seconds, beside the requests."""

from __future__ import annotations

from datetime import UTC, datetime

from distml.storage import Storage

KEY = "tokens/revoked"
READ_EVERY_S = 10.0


def revoked_names(storage: Storage) -> frozenset[str]:
    """The names of all revoked tokens. Raises `StorageError` where that can't be read."""
    return frozenset(revocations(storage))


def revocations(storage: Storage) -> dict[str, str]:
    """name -> when it was revoked, in ISO form."""
    return dict((storage.read_swapped(KEY)[1] or {}).get("revoked", {}))


def revoke(storage: Storage, name: str) -> None:
    """Revokes a name for good; revoked once more, it stays as it is. Raises `ConflictError` beside another writer."""
    revision, value = storage.read_swapped(KEY)
    revoked = dict((value or {}).get("revoked", {}))
    if name not in revoked:
        at = datetime.now(UTC).isoformat(timespec="seconds")
        storage.swap_json(KEY, revision, {"revoked": {**revoked, name: at}})
