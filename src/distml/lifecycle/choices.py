"""Choices of the section `search` that can't go together, found before anything is read or started."""

from __future__ import annotations

from distml.config import RunConfig
from distml.errors import ConfigError
from distml.lifecycle.beginning import source_of, space_of
from distml.metrics import METRICS


def check_search(config: RunConfig) -> None:
    """Raises `ConfigError` for a space, a point, a share or an objective that a search would end at."""
    any_metric = METRICS["log_loss"]  # what is refused depends on none
    source_of(config, space_of(config), any_metric)
    _check_objectives(config)


def _check_objectives(config: RunConfig) -> None:
    if config.search.costs and config.split.folds:
        raise ConfigError(
            "what a model costs is measured of the one model that a trial fits",
            received=f"{', '.join(config.search.costs)} with split.folds: {config.split.folds}, which fits as many",
            where="search.objectives",
            remedy="leave split.folds out, or search for the score alone",
        )
