"""Searches that can't be are refused by name before anything is read, by `validate`, `plan` and `run` alike."""

import pytest

from distml.cluster.capacity import Capacity
from distml.cluster.nodes import Node
from distml.config import RunConfig, TrainConfig
from distml.errors import ConfigError
from distml.lifecycle.preflight import check_config, check_search, preflight

LINEAR = {"lr": {"log": [0.001, 0.1]}, "weight_decay": 0.0}


def config_of(families=("linear", "mlp"), folds=None, **search) -> RunConfig:
    data = {"source": {"uri": "sklearn:breast_cancer"}, "target": "target", "task": "binary", "positive": "malignant"}
    values = {"name": "demo", "data": data, "model": {"families": families}, "search": search}
    return RunConfig.model_validate(values | ({"split": {"folds": folds}} if folds else {}))


REFUSED = [
    ({"sampler": "gp"}, "search.sampler", "gp searches one family"),
    ({"sampler": "cmaes"}, "search.sampler", "cmaes searches one family"),
    ({"sampler": "nsga2", "objectives": ["roc_auc", "size_mb"]}, "search.sampler", "nsga2 searches one family"),
    ({"sampler": "cmaes", "families": ["mlp"]}, "search.space.mlp", "cmaes searches numbers"),
    ({"sampler": "grid", "families": ["linear"], "space": {"linear": LINEAR}}, "search.space.linear",
     "values that can be counted"),
    ({"shares": {"trees": 0.5}}, "search.shares", "a share is of a family that is searched"),
    ({"points_to_evaluate": [{"family": "mlp", "params": {"width": 7}}]}, "search.points_to_evaluate",
     "a point lies in the search space"),
    ({"space": {"linear": {"lr": {"int": [1, 8], "step": 2}}}}, "search.space.linear.lr", "steps end at its high end"),
    ({"objectives": ["roc_auc", "size_mb"], "folds": 3}, "search.objectives", "the one model that a trial fits"),
    ({"scheduler": "pbt", "families": ["linear", "trees"]}, "model.families", "which only networks have"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "where", "rule"), REFUSED, ids=lambda value: str(value)[:60])
def test_a_choice_that_can_not_be_names_its_field(changes, where, rule):
    with pytest.raises(ConfigError, match=rule) as caught:
        check_search(config_of(**changes))
    assert caught.value.where == where
    assert caught.value.received
    assert caught.value.remedy


def test_a_key_of_train_that_means_nothing_for_the_target_is_refused():
    config = config_of().model_copy(update={"train": TrainConfig(loss="huber")})
    with pytest.raises(ConfigError, match="targets that are numbers") as caught:
        check_config(config)
    assert caught.value.where == "train.loss"


def test_run_and_plan_refuse_before_anything_is_written(tmp_path):
    from distml.lifecycle.plan import plan

    config = config_of(sampler="gp").model_copy(update={"storage": str(tmp_path / "store")})
    with pytest.raises(ConfigError, match="gp searches one family"):
        preflight(config)
    with pytest.raises(ConfigError, match="gp searches one family"):
        plan(config, Capacity(nodes=(Node(name="here", cpu=2, gpu=0, memory=1 << 33, object_store=1 << 30),)))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"sampler": "gp", "families": ["mlp"]},
        {
            "sampler": "grid",
            "families": ["linear"],
            "space": {"linear": {"lr": {"choice": [0.1]}, "weight_decay": 0.0}},
        },
        {"sampler": "cmaes", "families": ["linear"]},
        {"sampler": "nsga2", "families": ["linear"], "objectives": ["roc_auc", "latency_ms"]},
        {"objectives": ["roc_auc", "latency_ms"], "shares": {"mlp": 0.5}},
        {"scheduler": "pbt"},
    ],
    ids=str,
)
def test_what_can_be_is_let_through(changes):
    check_search(config_of(**changes))
