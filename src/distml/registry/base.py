"""The seam to the registry: a protocol, its records, and the rules that every implementation follows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

from distml.errors import NotFoundError
from distml.registry.standing import pruned_error

Action = Literal["register", "roll out", "promote", "refuse", "rollback", "prune"]


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
    pruned_at: str = ""  # when its package was given up to make room; empty while it is kept

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
    """The truth about versions.

    `promote` and `rollback` are compare-and-swaps: they raise `ConflictError` when the champion isn't the one that the
    caller saw.
    """

    def register(self, name: str, *, package: str, package_id: str, run: str, metrics: Mapping[str, Any]) -> Version:
        """A new version; a package that is kept is registered once only and gives the version that it has."""
        ...

    @property
    def place(self) -> str:
        """Where versions are kept, for errors."""
        ...

    def names(self) -> list[str]: ...

    def versions(self, name: str) -> list[Version]:
        """All versions of a name, oldest first."""
        ...

    def champion(self, name: str) -> Version | None: ...

    def previous(self, name: str) -> Version | None:
        """The champion before the present one, to which a rollback goes."""
        ...

    def promote(
        self, name: str, number: int, *, expected: int | None, reasons: tuple[str, ...] = (), by: str = ""
    ) -> None:
        """Makes a version champion if the champion is still `expected` (None: there is none).

        Raises `NotFoundError` for a version that doesn't exist or was pruned.
        """
        ...

    def rollback(self, name: str, *, expected: int | None, reasons: tuple[str, ...] = (), by: str = "") -> Version:
        """Makes the champion before the present one champion again, and returns it; two rollbacks go back two.

        Raises `NotFoundError` when there was none before, or its package was pruned.
        """
        ...

    def prune(self, name: str, number: int, *, reasons: tuple[str, ...] = (), by: str = "") -> None:
        """Notes that a version's package is to be deleted: from now on nothing resolves to it.

        Raises `UsageError` for the champion and the one before it, `NotFoundError` for what doesn't exist.
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

    Raises `NotFoundError` with what there is, also for a version whose package was pruned.
    """
    name, _, alias = reference.partition("@")
    name, _, number = name.partition("/")
    versions = registry.versions(name)
    if not versions:
        known = ", ".join(registry.names()) or "none"
        raise NotFoundError(
            "a model is registered before it is used", received=name, where=registry.place,
            remedy=f"known models: {known}",
        )  # fmt: skip
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
    if chosen[0].pruned_at:
        raise pruned_error(chosen[0].label, chosen[0].pruned_at)
    return chosen[0]


def find(versions: Iterable[Version], name: str, number: int) -> Version:
    """The version of a number; `NotFoundError` when there is none."""
    for version in versions:
        if version.number == number:
            return version
    raise NotFoundError("a version is registered before it is promoted", received=f"{name}/{number}")


def now() -> str:
    """The time as records keep it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
