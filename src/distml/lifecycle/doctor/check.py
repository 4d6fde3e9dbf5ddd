"""`Check`: one finding of the doctor, with its remedy."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from distml.errors import DistmlError

State = Literal["ok", "warn", "fail"]
_ORDER: tuple[State, ...] = ("ok", "warn", "fail")


@dataclass(frozen=True, kw_only=True)
class Check:
    """What was looked at, what was found, and what to do unless it is ok. node: None for the machine asked from.

    warn: it works, though worse than it could, or something else will not; fail: a command will fail on it.
    """

    name: str
    state: State
    found: str
    remedy: str | None = None
    node: str | None = None

    def __post_init__(self) -> None:
        assert (self.remedy is None) == (self.state == "ok"), f"a remedy is for what isn't ok: {self}"


def worst(checks: Iterable[Check]) -> State:
    """
    >>> worst([Check(name="a", state="ok", found=""), Check(name="b", state="warn", found="", remedy="do")])
    'warn'
    """
    return max((check.state for check in checks), key=_ORDER.index, default="ok")


def guarded(name: str, look: Callable[[], Check | list[Check]]) -> list[Check]:
    """What `look` finds. A look that breaks is a finding too: nothing here ends in a stack trace."""
    try:
        found = look()
    except DistmlError as error:
        return [refusal(name, error)]
    except Exception as error:  # noqa: BLE001 - whatever a machine has ready; the others are looked at all the same
        lines = str(error).strip().splitlines()
        told = f"this couldn't be looked at: {type(error).__name__}: {lines[0][:200] if lines else ''}".rstrip(": ")
        return [Check(name=name, state="fail", found=told, remedy="correct what it names, and look again")]
    return found if isinstance(found, list) else [found]


def refusal(name: str, error: DistmlError) -> Check:
    """An error of distml's as a finding."""
    received = f"received {error.received}" if error.received else None
    told = "; ".join(part for part in (error.rule, received, error.where) if part)
    return Check(name=name, state="fail", found=told, remedy=error.remedy or "correct it, and look again")
