"""What is searched over: families, and a distribution for each of a family's parameters."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from distml.errors import ConfigError
from distml.models import FAMILIES


@dataclass(frozen=True, kw_only=True)
class Range:
    """Numbers from low to high, both included; `log` for even odds per decade."""

    low: float
    high: float
    log: bool = False
    integer: bool = False

    def __contains__(self, value: Any) -> bool:
        return isinstance(value, (int, float)) and self.low <= value <= self.high


@dataclass(frozen=True)
class Choice:
    """One of several values."""

    options: tuple[Any, ...]

    def __contains__(self, value: Any) -> bool:
        return value in self.options


@dataclass(frozen=True)
class Constant:
    """A value that is not searched."""

    value: Any

    def __contains__(self, value: Any) -> bool:
        return value == self.value


Distribution = Range | Choice | Constant


@dataclass(frozen=True)
class SearchSpace:
    """Family name -> parameter name -> distribution; a family is drawn first, then its parameters alone."""

    families: Mapping[str, Mapping[str, Distribution]]

    @classmethod
    def of(cls, families: tuple[str, ...], overrides: Mapping[str, Mapping[str, Any]]) -> SearchSpace:
        """The families' own spaces with a config's `search.space` over them. Raises `ConfigError`."""
        spaces: dict[str, dict[str, Distribution]] = {}
        for name in families:
            family = FAMILIES[name]
            own = overrides.get(name, {})
            family.complete(own)  # refuses unknown parameters
            written = {**family.defaults, **family.space, **own}
            spaces[name] = {
                key: parse_distribution(value, f"search.space.{name}.{key}") for key, value in written.items()
            }
            for key, distribution in spaces[name].items():
                _check_kind(distribution, family.defaults[key], f"search.space.{name}.{key}")
        return cls(spaces)

    def defaults(self, family: str) -> dict[str, Any]:
        """The family's known-good values, those that lie in the space."""
        known = FAMILIES[family].defaults
        return {key: known[key] for key, distribution in self.families[family].items() if known[key] in distribution}

    def point(self, family: str, params: Mapping[str, Any], where: str) -> dict[str, Any]:
        """The searched ones of a point's parameters. Raises `ConfigError` for a point outside the space."""
        if family not in self.families:
            raise ConfigError("a point is of a family that is searched", received=family, where=where,
                              remedy=f"one of {', '.join(self.families)}")  # fmt: skip
        space = self.families[family]
        for name, value in params.items():
            if name not in space or value not in space[name]:
                raise ConfigError(
                    "a point lies in the search space",
                    received=f"{family}.{name} = {value}",
                    where=where,
                    remedy=f"{name} is {space[name]}" if name in space else f"{family} has {', '.join(space)}",
                )
        return {name: value for name, value in params.items() if not isinstance(space[name], Constant)}


def _check_kind(distribution: Distribution, default: Any, where: str) -> None:
    """Raises `ConfigError` where a distribution gives other values than the parameter takes, as its default shows."""
    wanted = "a whole number" if isinstance(default, int) else "a number"
    if isinstance(distribution, Range):
        fits = distribution.integer or not isinstance(default, int)
        received: Any = "a range of fractions"
    else:
        values = distribution.options if isinstance(distribution, Choice) else (distribution.value,)
        needs_whole = isinstance(default, int)
        wrong = [value for value in values if not _is_number(value) or (needs_whole and not isinstance(value, int))]
        fits, received = not wrong, wrong[:1]
    if not fits:
        remedy = "write {int: [low, high]}" if isinstance(distribution, Range) else None
        raise ConfigError(f"this parameter is {wanted}", received=received, where=where, remedy=remedy)


def parse_distribution(value: Any, where: str) -> Distribution:
    """A distribution from its config syntax; anything that is not a mapping is a constant.

    >>> parse_distribution({"log": [1e-4, 0.1]}, "lr")
    Range(low=0.0001, high=0.1, log=True, integer=False)
    >>> parse_distribution({"choice": [64, 128]}, "width")
    Choice(options=(64, 128))
    """
    if not isinstance(value, Mapping):
        return Constant(value)
    kinds = [key for key in value if key in ("log", "uniform", "int", "choice")]
    if "int" in kinds and value.get("log") in (True, False):
        kinds = ["int"]
    if len(kinds) != 1 or set(value) - {"log", kinds[0]}:
        raise _wrong(value, where)
    (kind,) = kinds
    items = value[kind]
    if not isinstance(items, (list, tuple)) or not items:
        raise _wrong(value, where)
    if kind == "choice":
        return Choice(tuple(items))
    if len(items) != 2 or not all(_is_number(item) for item in items) or items[0] > items[1]:
        raise _wrong(value, where)
    if kind == "int" and not all(float(item).is_integer() for item in items):
        raise _wrong(value, where)
    low, high = items
    log = kind == "log" or value.get("log") is True
    if log and low <= 0:
        raise ConfigError("a logarithmic range lies above zero", received=value, where=where)
    return Range(low=low, high=high, log=log, integer=kind == "int")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _wrong(value: Any, where: str) -> ConfigError:
    return ConfigError(
        "a distribution is {log: [low, high]}, {uniform: [low, high]}, {int: [low, high]} or {choice: [...]}",
        received=value,
        where=where,
        remedy="write a plain value to fix a parameter",
    )
