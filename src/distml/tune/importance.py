"""Which choices a search's scores hung on: the parameters of each family, and the family itself.

Parameters are ranked by PED-ANOVA (Watanabe, Bansal and Hutter, IJCAI 2023) through Optuna: how much the values of the
best trials differ from those of all. It asks only which trials are among the best, so a trial that was pruned counts
with the score that it had: that it would have ended a little better doesn't make it one of the best. fANOVA fits a
forest to the scores themselves, which for pruned trials say how early they ended.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from distml.metrics import Metric
from distml.tune.objective import TrialRecord
from distml.tune.space import SearchSpace
from distml.tune.translation import FAMILY, distributions, params_of

MIN_TRIALS = 12  # with a score: the best quarter is then three
_BEST = 0.25


@dataclass(frozen=True, kw_only=True)
class Importance:
    """families: family -> parameter -> its part of 1, the largest first; empty where nothing was searched.

    family: the part of the scores' variance, as ranks, that the family explains; None with one family or too few
    trials. notes: what could not be told, and why.
    """

    families: dict[str, dict[str, float]]
    family: float | None
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def importance_of(records: Sequence[TrialRecord], space: SearchSpace, metric: Metric) -> Importance:
    """What scores of trials hung on. Exact: the same records give the same numbers."""
    scored = [record for record in records if record.score is not None and math.isfinite(record.score)]
    notes: list[str] = []
    families: dict[str, dict[str, float]] = {}
    for family in space.families:
        of_family = [record for record in scored if record.family == family]
        if len(of_family) < MIN_TRIALS:
            notes.append(f"{family}: {len(of_family)} trials with a score; what mattered is told from {MIN_TRIALS} on")
        elif _are_level(of_family, metric):
            notes.append(f"{family}: no trial is worse than the best quarter, so nothing tells what mattered")
        else:
            families[family] = _of_parameters(of_family, space, metric)
    return Importance(families=families, family=_of_family(scored), notes=tuple(notes))


def _are_level(records: Sequence[TrialRecord], metric: Metric) -> bool:
    """Whether the best quarter, with all that equal its last, is everyone."""
    losses = sorted(-metric.sign * record.score for record in records if record.score is not None)
    return losses[-1] == losses[math.ceil(_BEST * len(losses)) - 1]


def _of_parameters(records: Sequence[TrialRecord], space: SearchSpace, metric: Metric) -> dict[str, float]:
    import optuna
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
    from optuna.trial import TrialState, create_trial

    family = records[0].family
    known = {
        name: found for name, found in distributions(space, family).items() if name != FAMILY and not found.single()
    }
    if not known:
        return {}
    study = optuna.create_study(direction=metric.direction)
    for record in records:
        params = params_of(space, family, record.params)
        chosen = {name: params[name] for name in known}
        study.add_trial(create_trial(state=TrialState.COMPLETE, value=record.score, params=chosen, distributions=known))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        evaluator = PedAnovaImportanceEvaluator(target_quantile=_BEST)
    found = get_param_importances(study, evaluator=evaluator)
    return {name.removeprefix(f"{family}."): round(value, 4) for name, value in found.items()}


def _of_family(scored: Sequence[TrialRecord]) -> float | None:
    """Eta squared of the ranks: the H of Kruskal and Wallis (1952), corrected for ties, by n - 1."""
    families = sorted({record.family for record in scored})
    if len(families) < 2 or len(scored) < MIN_TRIALS:
        return None
    ranks = _ranks(np.array([record.score for record in scored]))
    groups = [ranks[[record.family == family for record in scored]] for family in families]
    whole = ((ranks - ranks.mean()) ** 2).sum()
    between = sum(len(group) * (group.mean() - ranks.mean()) ** 2 for group in groups)
    return round(float(between / whole), 4) if whole > 0 else 0.0


def _ranks(values: np.ndarray) -> np.ndarray:
    """From 1, equal values the mean of theirs: float [n]."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[inverse]
