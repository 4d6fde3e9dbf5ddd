"""The distribution that a parameter is drawn from, and how a config writes it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from distml.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Range:
    """Numbers from low to high, both included; `log` for even odds per decade, `step` for low, low + step and so on."""

    low: float
    high: float
    log: bool = False
    integer: bool = False
    step: float | None = None

    def __str__(self) -> str:
        kind = "int" if self.integer else "log" if self.log else "uniform"
        more = ", log: true" if self.integer and self.log else "" if self.step is None else f", step: {self.step:g}"
        return f"{{{kind}: [{self.low:g}, {self.high:g}]{more}}}"

    def __contains__(self, value: Any) -> bool:
        if not is_number(value) or not self.low <= value <= self.high:
            return False
        step = self.step or (1 if self.integer else None)
        return step is None or _is_whole((value - self.low) / step)

    def values(self) -> tuple[Any, ...] | None:
        """Every number of the range; None for one without a step."""
        if self.integer:
            return tuple(range(int(self.low), int(self.high) + 1, int(self.step or 1)))
        if self.step is None:
            return None
        # As Optuna counts them, so that a number written in a config is the one that is drawn.
        return tuple(self.low + i * self.step for i in range(round((self.high - self.low) / self.step) + 1))


@dataclass(frozen=True)
class Choice:
    """One of several values."""

    options: tuple[Any, ...]

    def __str__(self) -> str:
        return f"{{choice: [{', '.join(map(str, self.options))}]}}"

    def __contains__(self, value: Any) -> bool:
        return any(_same(value, option) for option in self.options)

    def values(self) -> tuple[Any, ...]:
        return self.options


@dataclass(frozen=True)
class Constant:
    """A value that is not searched."""

    value: Any

    def __str__(self) -> str:
        return str(self.value)

    def __contains__(self, value: Any) -> bool:
        return _same(value, self.value)

    def values(self) -> tuple[Any, ...]:
        return (self.value,)


Distribution = Range | Choice | Constant


def parse_distribution(value: Any, where: str) -> Distribution:
    """A distribution from its config syntax; anything that is not a mapping is a constant.

    >>> parse_distribution({"log": [1e-4, 0.1]}, "lr")
    Range(low=0.0001, high=0.1, log=True, integer=False, step=None)
    >>> parse_distribution({"choice": [64, 128]}, "width")
    Choice(options=(64, 128))
    """
    if not isinstance(value, Mapping):
        return Constant(value)
    kinds = [key for key in value if key in ("log", "uniform", "int", "choice")]
    if "int" in kinds and value.get("log") in (True, False):
        kinds = ["int"]
    if len(kinds) != 1:
        raise _wrong(value, where)
    (kind,) = kinds
    allowed = {"int": {"int", "log", "step"}, "uniform": {"uniform", "step"}}.get(kind, {kind})
    items = value[kind]
    if set(value) - allowed or not isinstance(items, (list, tuple)) or not items:
        raise _wrong(value, where)
    return _choice(items, where) if kind == "choice" else _range(kind, items, value, where)


def _choice(items: Sequence[Any], where: str) -> Choice:
    wrong = [item for item in items if not (item is None or isinstance(item, (bool, int, float, str)))]
    if wrong:
        raise ConfigError("a choice is among plain values", received=wrong[0], where=where)
    twice = [item for i, item in enumerate(items) if any(_same(item, other) for other in items[:i])]
    if twice:
        raise ConfigError("a choice names each value once", received=twice[0], where=where, remedy="name it once")
    return Choice(tuple(items))


def _range(kind: str, items: Sequence[Any], value: Mapping[str, Any], where: str) -> Range:
    if len(items) != 2 or not all(is_number(item) for item in items) or items[0] > items[1]:
        raise _wrong(value, where)
    if kind == "int" and not all(float(item).is_integer() for item in items):
        raise _wrong(value, where)
    low, high = items
    log, step = kind == "log" or value.get("log") is True, value.get("step")
    if log and low <= 0:
        raise ConfigError("a logarithmic range lies above zero", received=value, where=where)
    if step is not None:
        _check_step(kind, low, high, step, log, where)
    return Range(low=low, high=high, log=log, integer=kind == "int", step=step)


def _check_step(kind: str, low: float, high: float, step: Any, log: bool, where: str) -> None:
    """Optuna would silently move the end of a range that its step doesn't meet."""
    if log:
        raise ConfigError("a logarithmic range has no step", received=step, where=where,
                          remedy="leave log or step out, or write {choice: [...]}")  # fmt: skip
    if not is_number(step) or step <= 0 or (kind == "int" and not float(step).is_integer()):
        raise ConfigError(f"a step is {'a whole number' if kind == 'int' else 'a number'} above zero", received=step,
                          where=where)  # fmt: skip
    if not _is_whole((high - low) / step):
        raise ConfigError("a range's steps end at its high end", received=f"from {low:g} by {step:g} to {high:g}",
                          where=where, remedy=f"let it end at {low + (high - low) // step * step:g}")  # fmt: skip


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _is_whole(number: float) -> bool:
    return abs(number - round(number)) < 1e-8


def _same(one: Any, other: Any) -> bool:
    """Equal, where true is not 1."""
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def _wrong(value: Any, where: str) -> ConfigError:
    return ConfigError(
        "a distribution is {log: [low, high]}, {uniform: [low, high]}, {int: [low, high]} or {choice: [...]}",
        received=value,
        where=where,
        remedy="write a plain value to fix a parameter; uniform and int may have a step",
    )
