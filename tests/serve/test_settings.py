"""What a config tells each replica."""

from __future__ import annotations

from typing import Any

from distml.config import RunConfig
from distml.serve.settings import ReplicaSettings, settings_of


def settings(**serve: Any) -> ReplicaSettings:
    config = RunConfig(name="shop", data={"source": {"uri": "t.csv"}, "target": "y"}, serve=serve)
    return settings_of(config, "store", monitor="m", namespace="n")


def test_a_config_tells_its_replicas_what_they_need():
    told = settings(num_cpus=2.5, num_gpus=0.5, auth={"tokens": "MINE"}, max_queued=99, max_depth=7)
    assert (told.name, told.storage, told.monitor, told.namespace) == ("shop", "store", "m", "n")
    assert (told.num_threads, told.device, told.tokens) == (2, "cuda", "MINE")
    assert (told.terms.max_queued, told.terms.limits.max_depth) == (99, 7)


def test_less_than_a_cpu_is_one_thread():
    assert settings(num_cpus=0.5).num_threads == 1
