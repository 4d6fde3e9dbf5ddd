"""The monitor as an actor: what it is told arrives, and when its process dies another takes its place."""

import contextlib
import os
import signal

import pytest

from distml.config import MonitorConfig
from windows import window


@pytest.fixture
def monitor(ray_session):
    import ray

    from distml.monitor.on_ray import start

    actor = start("shop", MonitorConfig(), "tests")
    yield actor
    ray.kill(actor)


def test_one_actor_for_a_model_is_told_everything(monitor):
    import ray

    from distml.monitor.on_ray import start

    again = start("shop", MonitorConfig(), "tests")
    ray.get(monitor.loaded.remote("a", 990.0, [4], 4, {}))
    assert ray.get(monitor.observe.remote("a", [window()], {"ongoing": 1.0}))
    assert ray.get(again.observe.remote("a", [window()], {"ongoing": 2.0}))
    known = ray.get(again.metrics.remote())
    assert (known["counts"][4, False].rows, known["gauges"]["ongoing"], known["replicas"]) == (100, 2.0, 1)
    assert ray.get(again.totals.remote())[4]["requests"] == 2


def test_a_monitor_that_died_is_started_anew_and_asks_who_is_there(monitor):
    import ray

    ray.get(monitor.loaded.remote("a", 990.0, [4], 4, {}))
    pid = ray.get(monitor.__ray_call__.remote(lambda self: os.getpid()))
    os.kill(pid, signal.SIGKILL)
    known = True
    while known:  # until the one of before is seen to be gone; a call that was under way fails with it
        with contextlib.suppress(ray.exceptions.RayError):
            known = ray.get(monitor.observe.remote("a", [window()]))
    ray.get(monitor.loaded.remote("a", 990.0, [4], 4, {}))
    assert ray.get(monitor.observe.remote("a", []))
    assert ray.get(monitor.totals.remote())[4]["requests"] == 1
