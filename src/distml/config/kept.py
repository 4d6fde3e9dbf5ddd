"""A run's config as an earlier distml kept it: every default written out, some of which a later one may not allow."""

from __future__ import annotations

import logging
from copy import deepcopy
from typing import Any

from pydantic import ValidationError

from distml.config.run import RunConfig
from distml.errors import ConfigError

_WHO_IS_LET_IN = ("host", "port", "route", "auth", "tls", "cors")  # never taken for a default


def read_kept(value: dict[str, Any], storage: str, run: str) -> RunConfig:
    """The config that a run's record holds.

    Limits of `serve` that are no longer allowed count as their defaults, and each is logged: they say how a model is
    served, not what it is nor who may ask it. Raises `ConfigError` for what can't be read else.
    """
    value = {**deepcopy(value), "storage": storage}
    try:
        return RunConfig.model_validate(value)
    except ValidationError as error:
        for place in [one["loc"] for one in error.errors()]:
            if place[0] == "serve" and len(place) > 1 and place[1] not in _WHO_IS_LET_IN:
                _remove(value, place)
                told = "%s kept %s, which is no longer allowed: it counts as its default"
                logging.getLogger(__name__).warning(told, run, ".".join(map(str, place)))
    try:
        return RunConfig.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(
            "the config that a run kept is one that this distml reads",
            received=f"{'.'.join(map(str, first['loc']))}: {first['msg']}",
            where=run,
            remedy="train again from the config's file, or use the distml that made the run",
        ) from None


def _remove(value: dict[str, Any], place: tuple[int | str, ...]) -> None:
    inner: Any = value
    for key in place[:-1]:
        if not isinstance(inner, dict) or not isinstance(inner.get(key), dict):
            break
        inner = inner[key]
    else:
        inner.pop(place[-1], None)
