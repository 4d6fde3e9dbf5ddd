"""What a config asks of a cluster, by arithmetic alone."""

from __future__ import annotations

import pytest

from distml.cluster.capacity import Capacity, Node
from distml.cluster.demand import (
    NO_GPU,
    check,
    check_device,
    check_preparation,
    check_replicas,
    check_room,
    tightness,
    trials_at_once,
)
from distml.config import DataConfig, RunConfig, TrainConfig
from distml.config.search import SearchConfig
from distml.config.serve import ServeConfig
from distml.errors import ConfigError

SMALL = Node(name="small", cpu=2)
LARGE = Node(name="large", cpu=8, gpu=2)


def search(cpu: float = 1, gpu: float = 0, **settings: object) -> SearchConfig:
    settings.setdefault("num_samples", 100)
    return SearchConfig(resources_per_trial={"cpu": cpu, "gpu": gpu}, **settings)


def serve(num_cpus: float, min_replicas: int = 1, num_gpus: float = 0) -> ServeConfig:
    replicas = {"min_replicas": min_replicas, "max_replicas": max(1, min_replicas)}
    return ServeConfig(num_cpus=num_cpus, num_gpus=num_gpus, autoscaling=replicas)


@pytest.mark.parametrize(
    ("settings", "number"),
    [
        ({}, 10),
        ({"max_concurrent_trials": 4}, 4),
        ({"max_concurrent_trials": 40}, 10),
        ({"num_samples": 3}, 3),
        ({"cpu": 2, "gpu": 1}, 2),
        ({"workers_per_trial": 2}, 5),
        ({"workers_per_trial": 3}, 3),
        ({"workers_per_trial": 10}, 1),  # over both nodes
        ({"workers_per_trial": 3, "max_concurrent_trials": 2}, 2),
        ({"workers_per_trial": 3, "max_concurrent_trials": 9}, 3),
        ({"cpu": 2, "workers_per_trial": 2}, 2),
        ({"gpu": 0.5, "workers_per_trial": 2}, 2),
        ({"gpu": 0.6, "workers_per_trial": 2}, 1),
    ],
)
def test_trials_at_once(settings, number):
    assert trials_at_once(Capacity(nodes=(SMALL, LARGE)), search(**settings)) == number


def test_nodes_that_may_join_count():
    capacity = Capacity(nodes=(Node(name="head", cpu=0),), may_join=(Node(name="worker", cpu=4, count=3),))
    assert trials_at_once(capacity, search(cpu=2)) == 6
    check_replicas(capacity, serve(4, min_replicas=3))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"cpu": 9}, ["CPUs", "9 CPU, at most 8 on a node (large)", "ask for at most 8"]),
        ({"gpu": 3}, ["GPUs", "3 GPU, at most 2 on a node (large)", "ask for at most 2"]),
        ({"gpu": 1.5}, ["whole", "1.5 GPU", "ask for 1 or 2"]),
    ],
)
def test_a_trial_that_never_fits_names_the_resource(settings, said):
    with pytest.raises(ConfigError) as refusal:
        trials_at_once(Capacity(nodes=(SMALL, LARGE)), search(**settings))
    assert refusal.value.where == "search.resources_per_trial"
    for text in said:
        assert text in str(refusal.value)


@pytest.mark.parametrize(
    ("settings", "where", "said"),
    [
        (
            {"workers_per_trial": 11},
            "workers_per_trial",
            ["the CPUs", "11 workers of 1 CPU each; 10 fit", "at most 10"],
        ),
        ({"cpu": 5, "workers_per_trial": 2}, "workers_per_trial", ["the CPUs", "2 workers of 5 CPU each; 1 fit"]),
        ({"gpu": 1, "workers_per_trial": 3}, "workers_per_trial", ["the GPUs", "1 CPU and 1 GPU each; 2 fit"]),
        ({"gpu": 0.5, "workers_per_trial": 5}, "workers_per_trial", ["the GPUs", "0.5 GPU each; 4 fit"]),
        (
            {"cpu": 5, "gpu": 1, "workers_per_trial": 2},
            "workers_per_trial",
            ["the CPUs", "5 CPU and 1 GPU each; 1 fit"],
        ),
        ({"cpu": 9, "workers_per_trial": 2}, "resources_per_trial", ["one worker of a trial", "9 CPU, at most 8"]),
        ({"gpu": 1.5, "workers_per_trial": 2}, "resources_per_trial", ["whole", "1.5 GPU"]),
    ],
)
def test_workers_that_never_fit_name_the_resource(settings, where, said):
    with pytest.raises(ConfigError) as refusal:
        trials_at_once(Capacity(nodes=(SMALL, LARGE)), search(**settings))
    assert refusal.value.where == f"search.{where}"
    for text in said:
        assert text in str(refusal.value)


def test_workers_may_be_on_nodes_that_an_autoscaler_adds():
    capacity = Capacity(nodes=(Node(name="head", cpu=1),), may_join=(Node(name="worker", cpu=4, count=3),))
    assert trials_at_once(capacity, search(workers_per_trial=4)) == 3
    with pytest.raises(ConfigError, match="14 workers of 1 CPU each; 13 fit"):
        trials_at_once(capacity, search(workers_per_trial=14))
    unknown = Capacity(nodes=(SMALL,), grows_unknown=True)
    assert trials_at_once(unknown, search(workers_per_trial=64)) == 1


def run_of(**settings: object) -> RunConfig:
    return RunConfig(name="demo", data={"source": {"uri": "rows.csv"}, "target": "y"}, search=search(**settings))


def test_fewer_trials_at_once_than_the_config_allows_are_told():
    capacity = Capacity(nodes=(SMALL, LARGE))
    told = tightness(capacity, run_of(workers_per_trial=4, max_concurrent_trials=5))
    assert told == [NO_GPU, "2 trials fit the cluster at once, of the 5 that search.max_concurrent_trials allows"]
    assert tightness(capacity, run_of(workers_per_trial=4, max_concurrent_trials=2)) == [NO_GPU]
    assert tightness(capacity, run_of(workers_per_trial=4)) == [NO_GPU]


def test_a_trial_that_only_an_added_node_has_room_for_is_told():
    capacity = Capacity(nodes=(SMALL,), may_join=(LARGE,))
    _, told = tightness(capacity, run_of(workers_per_trial=4))
    assert "no room for a trial" in told
    assert tightness(capacity, run_of(workers_per_trial=2)) == [NO_GPU]


def test_a_gpu_where_no_node_has_one():
    with pytest.raises(ConfigError, match=r"1 GPU, at most 0 on a node;.*add a node with a GPU"):
        trials_at_once(Capacity(nodes=(SMALL,)), search(gpu=1))


def trained(device: str = "auto", precision: str = "auto", gpu: float = 0) -> RunConfig:
    train = {"device": device, "precision": precision}
    return run_of(gpu=gpu).model_copy(update={"train": TrainConfig(**train)})


@pytest.mark.parametrize(
    ("nodes", "config", "where", "said"),
    [
        ((SMALL,), trained("cuda"), "train.device", "no node has a GPU"),
        ((LARGE,), trained("cuda"), "search.resources_per_trial", "cuda, and 0 GPU for a trial"),
        ((LARGE,), trained(precision="fp16"), "search.resources_per_trial", "fp16, and 0 GPU for a trial"),
    ],
)
def test_fits_on_a_gpu_have_one(nodes, config, where, said):
    with pytest.raises(ConfigError, match=said) as refusal:
        check_device(Capacity(nodes=nodes), config)
    assert refusal.value.where == where


@pytest.mark.parametrize(
    "config", [trained("cuda", gpu=0.25), trained(precision="fp16", gpu=1), trained(), trained("cpu")]
)
def test_fits_that_reserve_what_they_run_on(config):
    check_device(Capacity(nodes=(LARGE,)), config)


def test_gpus_that_nothing_reserves_are_told():
    assert tightness(Capacity(nodes=(LARGE,)), run_of()) == [NO_GPU]
    assert tightness(Capacity(nodes=(LARGE,)), run_of(gpu=0.5)) == []


def test_no_nodes_at_all():
    with pytest.raises(ConfigError, match="at most 0 on a node"):
        trials_at_once(Capacity(nodes=()), search())


def test_enough_of_each_but_on_different_nodes_never_fits():
    nodes = (Node(name="a", cpu=16), Node(name="b", cpu=2, gpu=1))
    with pytest.raises(ConfigError, match="4 CPU and 1 GPU; a has 16 and 0, b has 2 and 1"):
        trials_at_once(Capacity(nodes=nodes), search(cpu=4, gpu=1))


def test_nothing_is_refused_where_the_autoscaler_knows_more():
    capacity = Capacity(nodes=(SMALL,), grows_unknown=True)
    assert trials_at_once(capacity, search(cpu=64, gpu=8)) == 1
    check_replicas(capacity, serve(64, min_replicas=8))


@pytest.mark.parametrize(("num_cpus", "least"), [(2, 5), (8, 1), (0.25, 40), (1, 0)])
def test_replicas_that_fit(num_cpus, least):
    check_replicas(Capacity(nodes=(SMALL, LARGE)), serve(num_cpus, least))


@pytest.mark.parametrize(
    ("num_cpus", "least", "where", "said"),
    [
        (8.5, 1, "serve.num_cpus", "8.5 CPU, at most 8 on a node (large)"),
        (8.5, 0, "serve.num_cpus", "8.5 CPU, at most 8 on a node (large)"),  # one is wanted at the first request
        (2, 6, "serve.autoscaling.min_replicas", "6 of 2 CPU each; 5 fit"),
    ],
)
def test_replicas_that_never_fit(num_cpus, least, where, said):
    with pytest.raises(ConfigError) as refusal:
        check_replicas(Capacity(nodes=(SMALL, LARGE)), serve(num_cpus, least))
    assert refusal.value.where == where
    assert said in str(refusal.value)


@pytest.mark.parametrize(("num_gpus", "least"), [(0.25, 8), (0.6, 2), (2, 1)])
def test_replicas_that_share_gpus(num_gpus, least):
    check_replicas(Capacity(nodes=(SMALL, LARGE)), serve(0.25, least, num_gpus))
    with pytest.raises(ConfigError, match=rf"{least + 1} of 0.25 CPU and {num_gpus} GPU each; {least} fit"):
        check_replicas(Capacity(nodes=(SMALL, LARGE)), serve(0.25, least + 1, num_gpus))


@pytest.mark.parametrize(
    ("nodes", "num_gpus", "said"),
    [
        ((SMALL,), 0.25, "0.25 GPU, at most 0 on a node;.*add a node with a GPU"),
        ((LARGE,), 3, r"3 GPU, at most 2 on a node \(large\)"),
        ((LARGE,), 1.5, "more than one GPU is reserved in whole ones"),
    ],
)
def test_gpus_that_no_replica_can_have(nodes, num_gpus, said):
    with pytest.raises(ConfigError, match=said) as refusal:
        check_replicas(Capacity(nodes=nodes), serve(0.25, 1, num_gpus))
    assert refusal.value.where == "serve.num_gpus"


def test_replicas_have_room_beside_what_runs():
    capacity, free = Capacity(nodes=(SMALL,)), (Node(name="small", cpu=0.5),)
    check_room(capacity, free, serve(0.25, 2))
    for least in (0, 1):  # a version is loaded by one before it counts as deployed
        with pytest.raises(ConfigError, match=r"1 of 1 CPU each; 0 fit, with 0.5 CPU and 0 GPU free") as refusal:
            check_room(capacity, free, serve(1, least))
        assert refusal.value.where == "serve.num_cpus"


@pytest.mark.parametrize("more", [{"may_join": (LARGE,)}, {"grows_unknown": True}])
def test_room_that_an_autoscaler_makes_is_waited_for(more):
    check_room(Capacity(nodes=(SMALL,), **more), (Node(name="small", cpu=0),), serve(1))


def data(**resources: float) -> DataConfig:
    return DataConfig(source={"uri": "rows.csv"}, target="y", resources=resources)


@pytest.mark.parametrize("resources", [{}, {"cpu": 8}, {"gpu": 0.25}, {"cpu": 2, "gpu": 2}])
def test_a_piece_of_the_table_that_fits(resources):
    check_preparation(Capacity(nodes=(SMALL, LARGE)), data(**resources))


@pytest.mark.parametrize(
    ("resources", "said"),
    [
        ({"gpu": 0.25}, "0.25 GPU, at most 0 on a node;.*add a node with a GPU"),
        ({"cpu": 2.5}, "2.5 CPU, at most 2 on a node"),
        ({"gpu": 1.5}, "more than one GPU is reserved in whole ones"),
    ],
)
def test_a_piece_of_the_table_that_never_fits(resources, said):
    with pytest.raises(ConfigError, match=said) as refusal:
        check_preparation(Capacity(nodes=(SMALL,)), data(**resources))
    assert refusal.value.where == "data.resources"


def test_a_run_is_refused_for_the_first_of_its_stages():
    source = {"source": {"uri": "rows.csv"}, "target": "y", "resources": {"gpu": 1}}
    with pytest.raises(ConfigError, match="one piece of the table") as refusal:
        check(Capacity(nodes=(SMALL,)), RunConfig(name="demo", data=source))
    assert refusal.value.where == "data.resources"
