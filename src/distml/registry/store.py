"""The registry in storage: one file per version and per change, each created exclusively.

models/<name>/versions/000001.json     what was registered
models/<name>/champion/000001.json     each change of champion, the newest counts
models/<name>/audit/000001.json        each decision
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

from distml.errors import ConflictError
from distml.registry.base import Decision, Version, check_promotion
from distml.storage import Storage


class StoreRegistry:
    """Implements `Registry` on a `Storage`."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage

    def register(self, name: str, *, package: str, package_id: str, run: str, metrics: Mapping[str, Any]) -> Version:
        def append() -> tuple[Version, bool]:
            versions = self.versions(name)
            for version in versions:
                if version.package_id == package_id:
                    return version, False
            version = Version(
                name=name, number=len(versions) + 1, package=package, package_id=package_id, run=run,
                metrics=metrics, created_at=_now(),
            )  # fmt: skip
            self.storage.swap_json(f"models/{name}/versions", len(versions), asdict(version))
            return version, True

        version, is_new = _until_won(append)
        if is_new:
            self.record(Decision(name=name, version=version.number, action="register", by=f"run {run}"))
        return version

    def names(self) -> list[str]:
        return self.storage.list("models")

    def versions(self, name: str) -> list[Version]:
        folder = f"models/{name}/versions"
        return [Version(**self.storage.read_json(f"{folder}/{file}")) for file in self.storage.list(folder)]

    def champion(self, name: str) -> Version | None:
        _, record = self.storage.read_swapped(f"models/{name}/champion")
        if record is None:
            return None
        return Version(**self.storage.read_json(f"models/{name}/versions/{record['version']:06d}.json"))

    def promote(
        self, name: str, number: int, *, expected: int | None, reasons: tuple[str, ...] = (), by: str = ""
    ) -> None:
        # The revision is read before the check, so a change in between makes the swap fail.
        revision, _ = self.storage.read_swapped(f"models/{name}/champion")
        check_promotion(self, name, number, expected)
        self.storage.swap_json(f"models/{name}/champion", revision, {"version": number, "at": _now(), "by": by})
        self.record(Decision(name=name, version=number, action="promote", reasons=reasons, by=by))

    def record(self, decision: Decision) -> None:
        folder = f"models/{decision.name}/audit"
        entry = replace(decision, at=decision.at or _now()).to_dict()

        def append() -> int:
            revision, _ = self.storage.read_swapped(folder)
            return self.storage.swap_json(folder, revision, entry)

        _until_won(append)

    def audit(self, name: str) -> list[Decision]:
        folder = f"models/{name}/audit"
        return [Decision.from_dict(self.storage.read_json(f"{folder}/{file}")) for file in self.storage.list(folder)]


def _until_won(append: Callable[[], Any]) -> Any:
    """Appends again after losing to another writer. Each loss means that someone else got further, so it ends."""
    while True:
        try:
            return append()
        except ConflictError:
            continue


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
