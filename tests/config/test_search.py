"""The section `search`: what it refuses by itself, and what it makes of several objectives."""

import pytest
from pydantic import ValidationError

from distml.config import SearchConfig


def refused(**values) -> str:
    with pytest.raises(ValidationError) as caught:
        SearchConfig(**values)
    return str(caught.value)


@pytest.mark.parametrize(
    ("written", "metric", "objectives"),
    [
        ({}, "auto", ("score",)),
        ({"objectives": ["score", "latency_ms"]}, "auto", ("score", "latency_ms")),
        ({"objectives": ["roc_auc", "size_mb"]}, "roc_auc", ("score", "size_mb")),
        ({"objectives": ["roc_auc", "size_mb"], "metric": "roc_auc"}, "roc_auc", ("score", "size_mb")),
        ({"objectives": ["score", "num_params"], "metric": "f1"}, "f1", ("score", "num_params")),
        ({"objectives": "roc_auc"}, "roc_auc", ("score",)),
    ],
    ids=str,
)
def test_the_first_objective_is_the_metric(written, metric, objectives):
    config = SearchConfig(**written)
    assert (config.metric, config.objectives) == (metric, objectives)
    assert config.costs == objectives[1:]
    assert SearchConfig.model_validate(config.model_dump()) == config


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ({"objectives": ["latency_ms"]}, "objectives begin with the search's metric"),
        ({"objectives": []}, "objectives begin with the search's metric"),
        ({"objectives": ["score", "size_mb", "size_mb"]}, "name the others once"),
        ({"objectives": ["rmse", "size_mb"], "metric": "mae"}, "objectives begin with rmse, metric is mae"),
        ({"objectives": ["score", "latency"]}, "'latency_ms', 'size_mb' or 'num_params'"),
        ({"sampler": "tpe", "scheduler": "pbt"}, "draws its first members at random"),
        ({"sampler": "gp", "scheduler": "pbt"}, "sampler: gp can't go with scheduler: pbt"),
        ({"objectives": ["score", "size_mb"], "scheduler": "pbt"}, "its population follows one score"),
        ({"shares": {"mlp": 0.5}, "scheduler": "pbt"}, "can't go with scheduler: pbt"),
        ({"objectives": ["score", "size_mb"], "sampler": "cmaes"}, "use tpe, nsga2 or gp"),
        ({"shares": {"mlp": 0.5}, "sampler": "grid"}, "tries each combination once"),
        ({"shares": {"mlp": 0.0}}, "a family's share lies above 0"),
        ({"shares": {"mlp": 0.6, "trees": 0.5}}, "all of them come to 1 at most"),
        ({"device_hours": 0}, "greater than 0"),
        ({"keep_trials": 0}, "at least the best trial is kept"),
        ({"keep_trials": 2, "ensemble_size": 3}, "fewer trials than ensemble_size: 3 may blend"),
        ({"sampler": "annealing"}, "'grid', 'gp', 'cmaes' or 'nsga2'"),
    ],
    ids=str,
)
def test_what_can_not_be_is_refused(written, told):
    assert told in refused(**written)


@pytest.mark.parametrize("sampler", ["auto", "random"])
def test_a_population_draws_at_random(sampler):
    assert SearchConfig(scheduler="pbt", sampler=sampler).sampler == sampler


@pytest.mark.parametrize("scheduler", ["asha", "median", "hyperband", "none"])
@pytest.mark.parametrize("sampler", ["tpe", "random", "grid", "gp", "cmaes", "nsga2"])
def test_every_other_pair_goes_together(sampler, scheduler):
    assert SearchConfig(sampler=sampler, scheduler=scheduler)


@pytest.mark.parametrize(("written", "num_kept"), [({}, 3), ({"ensemble_size": 5}, 15), ({"keep_trials": 1}, 1)])
def test_as_many_results_are_kept_as_an_ensemble_may_want(written, num_kept):
    assert SearchConfig(**written).num_kept == num_kept
