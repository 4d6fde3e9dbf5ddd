"""The registry in storage: one file per version and per change, each created exclusively.

models/<name>/versions/000001.json     what was registered
models/<name>/champion/000001.json     each change of champion and each pruning, the newest counts
models/<name>/audit/000001.json        each decision
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, replace
from typing import Any

from distml.errors import ConflictError
from distml.registry.base import Decision, Version, find, now
from distml.registry.standing import Standing
from distml.storage import Storage


class StoreRegistry:
    """Implements `Registry` on a `Storage`."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage

    def register(self, name: str, *, package: str, package_id: str, run: str, metrics: Mapping[str, Any]) -> Version:
        def append() -> tuple[Version, bool]:
            versions = self.versions(name)
            for version in versions:
                if version.package_id == package_id and not version.pruned_at:
                    return version, False
            version = Version(
                name=name, number=len(versions) + 1, package=package, package_id=package_id, run=run,
                metrics=metrics, created_at=now(),
            )  # fmt: skip
            self.storage.swap_json(f"models/{name}/versions", len(versions), asdict(version))
            return version, True

        version, is_new = _until_won(append)
        if is_new:
            self.record(_registration(version))
        return version

    @property
    def place(self) -> str:
        return self.storage.root

    def names(self) -> list[str]:
        return self.storage.list("models")

    def versions(self, name: str) -> list[Version]:
        _, standing = self._standing(name)
        return [self._read(name, int(file[:-5]), standing) for file in self.storage.list(f"models/{name}/versions")]

    def champion(self, name: str) -> Version | None:
        _, standing = self._standing(name)
        return None if standing.champion is None else self._read(name, standing.champion, standing)

    def previous(self, name: str) -> Version | None:
        _, standing = self._standing(name)
        return None if standing.previous is None else self._read(name, standing.previous, standing)

    def _read(self, name: str, number: int, standing: Standing) -> Version:
        version = Version(**self.storage.read_json(f"models/{name}/versions/{number:06d}.json"))
        return replace(version, pruned_at=standing.pruned.get(number, ""))

    def promote(
        self, name: str, number: int, *, expected: int | None, reasons: tuple[str, ...] = (), by: str = ""
    ) -> None:
        find(self.versions(name), name, number)
        revision, standing = self._standing(name)
        decision = Decision(name=name, version=number, action="promote", reasons=reasons, by=by, at=now())
        self._swap(revision, standing.promote(number, expected=expected), decision)
        self.record(decision)

    def rollback(self, name: str, *, expected: int | None, reasons: tuple[str, ...] = (), by: str = "") -> Version:
        revision, standing = self._standing(name)
        after = standing.rollback(expected=expected)
        version = self._read(name, after.champions[-1], after)
        decision = Decision(name=name, version=version.number, action="rollback", reasons=reasons, by=by, at=now())
        self._swap(revision, after, decision)
        self.record(decision)
        return version

    def prune(self, name: str, number: int, *, reasons: tuple[str, ...] = (), by: str = "") -> None:
        find(self.versions(name), name, number)
        decision = Decision(name=name, version=number, action="prune", reasons=reasons, by=by, at=now())

        def append() -> bool:
            revision, standing = self._standing(name)
            after = standing.prune(number, at=now())
            if after != standing:
                self._swap(revision, after, decision)
            return after != standing

        if _until_won(append):
            self.record(decision)

    def _standing(self, name: str) -> tuple[int, Standing]:
        revision, value = self.storage.read_swapped(f"models/{name}/champion")
        return revision, Standing.from_dict(name, value)

    def _swap(self, revision: int, standing: Standing, decision: Decision) -> None:
        """Writes a standing that was made from the one of `revision`; a change in between makes this fail."""
        change = {**standing.to_dict(), "decision": decision.to_dict()}
        self.storage.swap_json(f"models/{decision.name}/champion", revision, change)

    def record(self, decision: Decision) -> None:
        folder = f"models/{decision.name}/audit"
        entry = replace(decision, at=decision.at or now()).to_dict()

        def append() -> int:
            revision, _ = self.storage.read_swapped(folder)
            return self.storage.swap_json(folder, revision, entry)

        _until_won(append)

    def audit(self, name: str) -> list[Decision]:
        log = [Decision.from_dict(value) for value in self._values(f"models/{name}/audit")]
        missed = [decision for decision in self._changes(name, log) if decision not in log]
        if not missed:
            return log
        # Of one moment, a version is registered before anything is decided about it.
        return sorted([*log, *missed], key=lambda entry: (entry.at, entry.action != "register", entry.version))

    def _changes(self, name: str, log: list[Decision]) -> Iterator[Decision]:
        """What the changes themselves say was decided: a process may have died before it noted that in the log."""
        registered = {decision.version for decision in log if decision.action == "register"}
        for value in self._values(f"models/{name}/versions"):
            if value["number"] not in registered:
                yield _registration(Version(**value))
        for value in self._values(f"models/{name}/champion"):
            if "decision" in value:
                yield Decision.from_dict(value["decision"])

    def _values(self, folder: str) -> Iterator[dict[str, Any]]:
        for file in self.storage.list(folder):
            yield self.storage.read_json(f"{folder}/{file}")


def _registration(version: Version) -> Decision:
    return Decision(
        name=version.name, version=version.number, action="register", by=f"run {version.run}", at=version.created_at
    )


def _until_won(append: Callable[[], Any]) -> Any:
    """Appends again after losing to another writer. Each loss means that someone else got further, so it ends."""
    while True:
        try:
            return append()
        except ConflictError:
            continue
