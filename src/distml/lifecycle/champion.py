"""The champion's settings as a search's first guess."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from distml.errors import ConfigError
from distml.registry import StoreRegistry
from distml.storage import Storage
from distml.tune import SearchSpace


@dataclass(frozen=True, kw_only=True)
class FirstGuess:
    """A champion's family and parameters. `outside`: why they can't be tried; None where they lie in the space."""

    champion: str
    family: str
    params: dict[str, Any]
    outside: str | None = None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def note(self) -> str:
        """What is told of it, in a line."""
        if self.outside is None:
            return f"the settings of champion {self.champion}, {self.family}, are tried first"
        return f"the settings of champion {self.champion} are not tried first: {self.outside}"


def first_guess(name: str, space: SearchSpace, storage: Storage) -> FirstGuess | None:
    """What the champion of a name was made with; None without a champion.

    A parameter that its family didn't have then is at its default. A search keeps the guess that it began with
    (`begun.json`), whoever is champion when it goes on.
    """
    champion = StoreRegistry(storage).champion(name)
    if champion is None:
        return None
    trial = storage.read_json(f"{champion.package}/manifest.json")["lineage"]["trial"]
    family, params = trial["family"], trial["params"]
    if family in space.families:
        params = space.defaults(family) | params
    guess = FirstGuess(champion=champion.label, family=family, params=params)
    try:
        space.point(family, params, f"champion {champion.label}")
    except ConfigError as error:
        return FirstGuess(champion=champion.label, family=family, params=params, outside=_why(error))
    return guess


def _why(error: ConfigError) -> str:
    return f"{error.rule}; received {error.received}; {error.remedy}"
