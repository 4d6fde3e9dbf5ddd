"""The registry as a fake that keeps everything in memory, for notebooks and tests."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from distml.registry.base import Decision, Version, find, now
from distml.registry.standing import Standing


class MemoryRegistry:
    """Implements `Registry`."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._versions: dict[str, list[Version]] = {}
        self._standings: dict[str, Standing] = {}
        self._audit: list[Decision] = []

    def register(self, name: str, *, package: str, package_id: str, run: str, metrics: Mapping[str, Any]) -> Version:
        with self._lock:
            versions = self.versions(name)
            for version in versions:
                if version.package_id == package_id and not version.pruned_at:
                    return version
            version = Version(
                name=name, number=len(versions) + 1, package=package, package_id=package_id, run=run, metrics=metrics
            )
            self._versions.setdefault(name, []).append(version)
            self.record(Decision(name=name, version=version.number, action="register", by=f"run {run}"))
            return version

    @property
    def place(self) -> str:
        return "memory"

    def names(self) -> list[str]:
        return sorted(self._versions)

    def versions(self, name: str) -> list[Version]:
        pruned = self._standing(name).pruned
        return [replace(known, pruned_at=pruned.get(known.number, "")) for known in self._versions.get(name, [])]

    def champion(self, name: str) -> Version | None:
        return self._version(name, self._standing(name).champion)

    def previous(self, name: str) -> Version | None:
        return self._version(name, self._standing(name).previous)

    def _version(self, name: str, number: int | None) -> Version | None:
        return None if number is None else find(self.versions(name), name, number)

    def _standing(self, name: str) -> Standing:
        return self._standings.get(name) or Standing(name=name)

    def promote(
        self, name: str, number: int, *, expected: int | None, reasons: tuple[str, ...] = (), by: str = ""
    ) -> None:
        with self._lock:
            find(self.versions(name), name, number)
            self._standings[name] = self._standing(name).promote(number, expected=expected)
            self.record(Decision(name=name, version=number, action="promote", reasons=reasons, by=by))

    def rollback(self, name: str, *, expected: int | None, reasons: tuple[str, ...] = (), by: str = "") -> Version:
        with self._lock:
            standing = self._standing(name).rollback(expected=expected)
            self._standings[name] = standing
            version = find(self.versions(name), name, standing.champions[-1])
            self.record(Decision(name=name, version=version.number, action="rollback", reasons=reasons, by=by))
            return version

    def prune(self, name: str, number: int, *, reasons: tuple[str, ...] = (), by: str = "") -> None:
        with self._lock:
            find(self.versions(name), name, number)
            before = self._standing(name)
            self._standings[name] = before.prune(number, at=now())
            if self._standings[name] != before:
                self.record(Decision(name=name, version=number, action="prune", reasons=reasons, by=by))

    def record(self, decision: Decision) -> None:
        self._audit.append(decision)

    def audit(self, name: str) -> list[Decision]:
        return [decision for decision in self._audit if decision.name == name]
