"""Optuna's samplers as a search uses them, and the spaces that each of them can't search."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from distml.config.search import SamplerName
from distml.errors import ConfigError
from distml.tune.distribution import Choice, Range
from distml.tune.grid import Grid
from distml.tune.space import SearchSpace

NUM_RANDOM = 8  # trials before a sampler begins to follow results
_ONE_FAMILY: Mapping[SamplerName, str] = {
    # optuna/samplers: _gp/sampler.py, _cmaes.py and nsgaii/_sampler.py infer IntersectionSearchSpace.
    "gp": "GPSampler models",
    "cmaes": "CmaEsSampler adapts",
    "nsga2": "NSGAIISampler crosses",
}


def check_sampler(name: SamplerName, space: SearchSpace, shares: Mapping[str, float]) -> None:
    """Raises `ConfigError` where Optuna's sampler would draw from a space at random instead of searching it."""
    if name in _ONE_FAMILY and len(space.families) > 1:
        raise ConfigError(
            f"{name} searches one family: Optuna's {_ONE_FAMILY[name]} only the parameters that all trials have, and "
            "several families have none in common",
            received=f"sampler {name} over {', '.join(space.families)}",
            where="search.sampler",
            remedy="name one family in model.families, or use sampler: tpe",
        )
    if name == "cmaes":
        _check_numbers(space)
    if name == "grid":
        Grid(space)
    unknown = [family for family in shares if family not in space.families]
    if unknown:
        raise ConfigError("a share is of a family that is searched", received=unknown[0], where="search.shares",
                          remedy=f"one of {', '.join(space.families)}")  # fmt: skip


def _check_numbers(space: SearchSpace) -> None:
    """CMA-ES adapts a normal distribution over numbers: Optuna draws anything else at random."""
    ((family, distributions),) = space.families.items()
    choices = [name for name, known in distributions.items() if isinstance(known, Choice) and len(known.options) > 1]
    if choices:
        raise ConfigError(
            "cmaes searches numbers: Optuna's CmaEsSampler draws choices at random",
            received=", ".join(f"{name} {distributions[name]}" for name in choices),
            where=f"search.space.{family}",
            remedy=f"write {{int: [low, high]}}, {{log: [low, high]}} or one value for {', '.join(choices)}, or use "
            "sampler: tpe or gp",
        )
    if not any(isinstance(known, Range) and known.low < known.high for known in distributions.values()):
        raise ConfigError("cmaes searches a range at least", received="values that are all fixed",
                          where=f"search.space.{family}", remedy="write {log: [low, high]} for one")  # fmt: skip


def sampler(name: SamplerName, seed: int, num_samples: int) -> Any:
    """The Optuna sampler of a name, seeded. Of `grid`, whose trials are all given, it draws nothing."""
    from optuna import exceptions, samplers

    with warnings.catch_warnings():
        # Grouped TPE with a constant liar, and CMA-ES that learns from pruned trials, are marked experimental.
        warnings.simplefilter("ignore", exceptions.ExperimentalWarning)
        if name in ("random", "grid"):
            return samplers.RandomSampler(seed=seed)
        if name == "gp":
            return samplers.GPSampler(seed=seed, n_startup_trials=NUM_RANDOM)
        if name == "cmaes":
            return samplers.CmaEsSampler(seed=seed, consider_pruned_trials=True)
        if name == "nsga2":
            # Optuna's 50 would leave a search of 40 trials without a second generation.
            return samplers.NSGAIISampler(seed=seed, population_size=max(NUM_RANDOM, min(50, num_samples // 4)))
        return samplers.TPESampler(
            seed=seed, multivariate=True, group=True, constant_liar=True, n_startup_trials=NUM_RANDOM
        )
