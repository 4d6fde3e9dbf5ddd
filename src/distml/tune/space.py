"""What is searched over: families, and a distribution for each of a family's parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from distml.errors import ConfigError
from distml.models import FAMILIES
from distml.tune.distribution import Constant, Distribution, Range, is_number, parse_distribution


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
            for key, default in family.defaults.items():  # those of the user's own network are theirs
                _check_kind(spaces[name][key], default, f"search.space.{name}.{key}")
        return cls(spaces)

    def defaults(self, family: str) -> dict[str, Any]:
        """The family's known-good values, those that lie in the space."""
        space = self.families[family]
        return {key: default for key, default in FAMILIES[family].defaults.items() if default in space[key]}

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
    wanted = _kind(default)
    if isinstance(distribution, Range):
        fits = wanted == "a number" or (wanted == "a whole number" and distribution.integer)
        received: Any = "a range of fractions" if wanted == "a whole number" else "a range of numbers"
    else:
        wrong = [value for value in distribution.values() if not _is_of(value, wanted)]
        fits, received = not wrong, wrong[:1]
    if not fits:
        remedies = {"a whole number": "write {int: [low, high]}", "true or false": "write {choice: [true, false]}",
                    "a word": "write {choice: [...]} of words"}  # fmt: skip
        remedy = remedies.get(wanted) if isinstance(distribution, Range) else None
        raise ConfigError(f"this parameter is {wanted}", received=received, where=where, remedy=remedy)


def _kind(default: Any) -> str:
    if isinstance(default, bool):
        return "true or false"
    if isinstance(default, str):
        return "a word"
    return "a whole number" if isinstance(default, int) else "a number"


def _is_of(value: Any, wanted: str) -> bool:
    if wanted in ("true or false", "a word"):
        return _kind(value) == wanted
    return is_number(value) and (wanted == "a number" or isinstance(value, int))
