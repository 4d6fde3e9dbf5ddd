"""A space, a candidate and what became of it in Optuna's words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from distml.tune.distribution import Choice, Constant
from distml.tune.space import SearchSpace

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import Trial

FAMILY = "family"


def distributions(space: SearchSpace, family: str) -> dict[str, BaseDistribution]:
    """The family's own name among the space's, and its searched parameters as `family.name`."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    found: dict[str, BaseDistribution] = {FAMILY: CategoricalDistribution(list(space.families))}
    for name, known in space.families[family].items():
        if isinstance(known, Constant):
            continue
        if isinstance(known, Choice):
            found[f"{family}.{name}"] = CategoricalDistribution(known.options)
        elif known.integer:
            step = int(known.step or 1)
            found[f"{family}.{name}"] = IntDistribution(int(known.low), int(known.high), log=known.log, step=step)
        else:
            found[f"{family}.{name}"] = FloatDistribution(known.low, known.high, log=known.log, step=known.step)
    return found


def params_of(space: SearchSpace, family: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """A candidate's searched parameters under the names that `distributions` has."""
    searched = {name: value for name, value in params.items() if not isinstance(space.families[family][name], Constant)}
    return {FAMILY: family, **{f"{family}.{name}": value for name, value in searched.items()}}


def draw(trial: Trial, space: SearchSpace) -> tuple[str, dict[str, Any]]:
    """A family, then values for all of its parameters, as the study's sampler has them."""
    family = trial.suggest_categorical(FAMILY, list(space.families))
    known = distributions(space, family)
    return family, {
        name: distribution.value
        if isinstance(distribution, Constant)
        else _suggest(trial, f"{family}.{name}", known[f"{family}.{name}"])
        for name, distribution in space.families[family].items()
    }


def _suggest(trial: Trial, name: str, distribution: Any) -> Any:
    from optuna.distributions import CategoricalDistribution, IntDistribution

    if isinstance(distribution, CategoricalDistribution):
        return trial.suggest_categorical(name, distribution.choices)
    low, high, log, step = distribution.low, distribution.high, distribution.log, distribution.step
    if isinstance(distribution, IntDistribution):
        return trial.suggest_int(name, low, high, log=log, step=step)
    return trial.suggest_float(name, low, high, log=log, step=step)
