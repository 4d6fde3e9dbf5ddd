"""The seam to the registry: a protocol, its records, and a fake that keeps everything in memory."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Protocol

from distml.errors import ConflictError, NotFoundError

Action = Literal["register", "promote", "refuse", "rollback"]


@dataclass(frozen=True, kw_only=True)
class Version:
    """A registered package: `number` counts from 1 per name, `package` is its key in storage."""

    name: str
    number: int
    package: str
    package_id: str
    run: str
    metrics: Mapping[str, Any] = field(default_factory=dict)
    created_at: str = ""

    @property
    def label(self) -> str:
        return f"{self.name}/{self.number}"


@dataclass(frozen=True, kw_only=True)
class Decision:
    """An entry of the audit log: what was decided about a version, by whom or what, and why."""

    name: str
    version: int
    action: Action
    reasons: tuple[str, ...] = ()
    by: str = ""
    at: str = ""

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "reasons": list(self.reasons)}

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Decision:
        return cls(**{**value, "reasons": tuple(value["reasons"])})


class Registry(Protocol):
    """The truth about versions. `promote` is a compare-and-swap: it fails when the champion has changed meanwhile."""

    def register(self, name: str, *, package: str, package_id: str, run: str, metrics: Mapping[str, Any]) -> Version:
        """A new version; the same package is registered once only and gives the version that it has."""
        ...

    def names(self) -> list[str]: ...

    def versions(self, name: str) -> list[Version]:
        """All versions of a name, oldest first."""
        ...

    def champion(self, name: str) -> Version | None: ...

    def promote(
        self, name: str, number: int, *, expected: int | None, reasons: tuple[str, ...] = (), by: str = ""
    ) -> None:
        """Makes a version champion if the champion is still `expected` (None: there is none).

        Raises `ConflictError` when it isn't, `NotFoundError` for a version that doesn't exist.
        """
        ...

    def record(self, decision: Decision) -> None:
        """Adds a decision to the audit log."""
        ...

    def audit(self, name: str) -> list[Decision]:
        """Every decision about a name, oldest first."""
        ...


def resolve(registry: Registry, reference: str) -> Version:
    """The version that `NAME`, `NAME@champion`, `NAME@challenger` or `NAME/3` means; never "the latest" by guess.

    Raises `NotFoundError` with what there is.
    """
    name, _, alias = reference.partition("@")
    name, _, number = name.partition("/")
    versions = registry.versions(name)
    if not versions:
        known = ", ".join(registry.names()) or "none"
        raise NotFoundError("a model is registered before it is used", received=name, remedy=f"known models: {known}")
    if number:
        chosen = [version for version in versions if str(version.number) == number]
    elif alias in ("", "champion"):
        chosen = [version for version in [registry.champion(name)] if version is not None]
    elif alias == "challenger":
        champion = registry.champion(name)
        newest = versions[-1]
        chosen = [newest] if champion is None or newest.number > champion.number else []
    else:
        chosen = []
    if not chosen:
        numbers = ", ".join(str(version.number) for version in versions)
        raise NotFoundError(
            "a version is named by its number or an alias that is set",
            received=reference,
            remedy=f"versions of {name}: {numbers}; champion: {getattr(registry.champion(name), 'number', 'none')}",
        )
    return chosen[0]


class MemoryRegistry:
    """Implements `Registry` in memory, for notebooks and tests."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._versions: dict[str, list[Version]] = {}
        self._champions: dict[str, int] = {}
        self._audit: list[Decision] = []

    def register(self, name: str, *, package: str, package_id: str, run: str, metrics: Mapping[str, Any]) -> Version:
        with self._lock:
            versions = self._versions.setdefault(name, [])
            for version in versions:
                if version.package_id == package_id:
                    return version
            version = Version(
                name=name, number=len(versions) + 1, package=package, package_id=package_id, run=run, metrics=metrics
            )
            versions.append(version)
            self.record(Decision(name=name, version=version.number, action="register", by=f"run {run}"))
            return version

    def names(self) -> list[str]:
        return sorted(self._versions)

    def versions(self, name: str) -> list[Version]:
        return list(self._versions.get(name, []))

    def champion(self, name: str) -> Version | None:
        number = self._champions.get(name)
        return None if number is None else self._versions[name][number - 1]

    def promote(
        self, name: str, number: int, *, expected: int | None, reasons: tuple[str, ...] = (), by: str = ""
    ) -> None:
        with self._lock:
            check_promotion(self, name, number, expected)
            self._champions[name] = number
            self.record(Decision(name=name, version=number, action="promote", reasons=reasons, by=by))

    def record(self, decision: Decision) -> None:
        self._audit.append(decision)

    def audit(self, name: str) -> list[Decision]:
        return [decision for decision in self._audit if decision.name == name]


def check_promotion(registry: Registry, name: str, number: int, expected: int | None) -> None:
    """Raises unless the version exists and the champion is the one expected."""
    if number not in [version.number for version in registry.versions(name)]:
        raise NotFoundError("a version is registered before it is promoted", received=f"{name}/{number}")
    champion = registry.champion(name)
    current = champion.number if champion else None
    if current != expected:
        raise ConflictError(
            "a champion is replaced only by who saw it",
            received=f"champion is {current}, expected {expected}",
            where=name,
            remedy="look at `distml show` and repeat the command",
        )
