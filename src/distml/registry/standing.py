"""`Standing`: which of a model's versions were champion, as a stack, and which were pruned. Changed as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from distml.errors import ConflictError, NotFoundError, UsageError


@dataclass(frozen=True, kw_only=True)
class Standing:
    """champions: numbers, the present one last; pruned: number -> when its package was given up.

    Every change gives a new value. Those of the champion raise `ConflictError` unless the champion is still the one
    that the caller saw, `expected`.

    >>> Standing(name="churn").promote(1, expected=None).promote(2, expected=1).rollback(expected=2).champion
    1
    """

    name: str
    champions: tuple[int, ...] = ()
    pruned: Mapping[int, str] = field(default_factory=dict)

    @property
    def champion(self) -> int | None:
        return self.champions[-1] if self.champions else None

    @property
    def previous(self) -> int | None:
        """The champion before the present one, to which a rollback goes."""
        return self.champions[-2] if len(self.champions) > 1 else None

    def promote(self, number: int, *, expected: int | None) -> Standing:
        """A version on top of the stack; the champion itself stays where it is."""
        self._check_kept(number)
        self._check_champion(expected)
        return self if number == self.champion else replace(self, champions=(*self.champions, number))

    def rollback(self, *, expected: int | None) -> Standing:
        """The champion taken off the stack. Raises `NotFoundError` when there is none below, or it was pruned."""
        self._check_champion(expected)
        if self.previous is None:
            raise no_champion_before(self.name, self.champion)
        self._check_kept(self.previous)
        return replace(self, champions=self.champions[:-1])

    def prune(self, number: int, *, at: str) -> Standing:
        """A version given up. Raises `UsageError` for the champion and the one that a rollback goes to."""
        if number in self.champions[-2:]:
            raise UsageError("a champion and the one before it are never pruned", received=f"{self.name}/{number}")
        return self if number in self.pruned else replace(self, pruned={**self.pruned, number: at})

    def _check_champion(self, expected: int | None) -> None:
        check_champion(self.name, self.champion, expected)

    def _check_kept(self, number: int) -> None:
        if number in self.pruned:
            raise pruned_error(f"{self.name}/{number}", self.pruned[number])

    def to_dict(self) -> dict[str, Any]:
        pruned = {str(number): at for number, at in self.pruned.items()}
        return {"version": self.champion, "champions": list(self.champions), "pruned": pruned}

    @classmethod
    def from_dict(cls, name: str, value: Mapping[str, Any] | None) -> Standing:
        if value is None:
            return cls(name=name)
        pruned = {int(number): at for number, at in value["pruned"].items()}
        return cls(name=name, champions=tuple(value["champions"]), pruned=pruned)


def check_champion(name: str, champion: int | None, expected: int | None) -> None:
    """Raises `ConflictError` unless the champion is the one that the caller saw."""
    if champion != expected:
        raise ConflictError(
            "a champion is replaced only by who saw it",
            received=f"champion is {champion}, expected {expected}",
            where=name,
            remedy=f"look at `distml status {name}` and repeat the command",
        )


def pruned_error(label: str, at: str) -> NotFoundError:
    """What is said of a version whose package was deleted to make room, at an ISO time."""
    return NotFoundError(
        "a version is used while its package is kept",
        received=f"{label}, pruned by gc on {at[:10]}",
        remedy="run its config again, which registers it anew, or name another version",
    )


def no_champion_before(name: str, champion: int | None) -> NotFoundError:
    """What is said of a rollback when the model had one champion at most."""
    return NotFoundError(
        "a rollback goes to the champion before, and there was none",
        received=f"{name}, champion: {champion or 'none'}",
        remedy=f"name a version: distml promote {name}/NUMBER",
    )
