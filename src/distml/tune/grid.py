"""A finite space cell by cell: every combination of a family and its values once."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Mapping, Sequence
from typing import Any

from distml.errors import ConfigError
from distml.models import FAMILIES
from distml.tune.distribution import is_number
from distml.tune.space import SearchSpace

MAX_CELLS = 1_000_000_000
Cell = tuple[str, dict[str, Any]]  # a family, and values for all of its parameters


class Grid:
    """The cells of a space, numbered family by family. Raises `ConfigError` where they have no end."""

    def __init__(self, space: SearchSpace) -> None:
        _check_finite(space)
        self._values = {
            family: {name: distribution.values() or () for name, distribution in distributions.items()}
            for family, distributions in space.families.items()
        }
        self._sizes = {
            family: math.prod(len(values) for values in params.values()) for family, params in self._values.items()
        }
        self.size = sum(self._sizes.values())
        if self.size > MAX_CELLS:
            raise ConfigError("a grid has a billion combinations at most", received=f"{self.size:,}",
                              where="search.space", remedy="name fewer values, or use sampler: random")  # fmt: skip

    def cell(self, index: int) -> Cell:
        """The cell of a number below `size`."""
        for family, size in self._sizes.items():
            if index < size:
                return family, self._params(family, index)
            index -= size
        raise IndexError(index)

    def _params(self, family: str, index: int) -> dict[str, Any]:
        params = {}
        for name, values in self._values[family].items():
            index, place = divmod(index, len(values))
            params[name] = values[place]
        return params

    def cells(self, first: Sequence[tuple[str, Mapping[str, Any]]], *, at_most: int, seed: int) -> list[Cell]:
        """Different cells: those of points, which may leave parameters open, then others in an order of the seed."""
        chance = random.Random(seed)
        given = [self._at(family, params, chance) for family, params in first]
        others = chance.sample(range(self.size), min(self.size, at_most + len(first)))
        named = {_name(cell): cell for cell in [*given, *map(self.cell, others)]}
        return list(named.values())[:at_most]

    def _at(self, family: str, params: Mapping[str, Any], chance: random.Random) -> Cell:
        values = self._values[family]
        drawn = {name: chance.choice(options) for name, options in values.items()}
        return family, drawn | {name: _nearest(values[name], value) for name, value in params.items()}


def _nearest(values: Sequence[Any], value: Any) -> Any:
    """The value of a grid that a point means: 0.3 is 0.1 + 2 * 0.1."""
    if is_number(value):
        return min((known for known in values if is_number(known)), key=lambda known: abs(known - value))
    return values[values.index(value)]


def _name(cell: Cell) -> str:
    return json.dumps(cell, sort_keys=True)


def _check_finite(space: SearchSpace) -> None:
    """Raises `ConfigError` naming every range without a step, and a line that fixes them."""
    for family, distributions in space.families.items():
        endless = [name for name, distribution in distributions.items() if distribution.values() is None]
        if endless:
            known = FAMILIES[family].defaults
            fixed = ", ".join(f"{name}: {known.get(name, '...')}" for name in endless)
            raise ConfigError(
                "a grid is made of values that can be counted",
                received=", ".join(f"{name} {distributions[name]}" for name in endless),
                where=f"search.space.{family}",
                remedy=f"write {{choice: [...]}} or a step, or fix them at their defaults: {{{fixed}}}",
            )
