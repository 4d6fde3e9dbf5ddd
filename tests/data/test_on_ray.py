import os
import signal
import sys
import time
from pathlib import Path

import pytest
import ray

import contracts.engine
from contracts.engine import EngineContract
from distml.data.on_ray import MAX_ATTEMPTS, RayEngine
from distml.errors import DistmlError

pytestmark = pytest.mark.ray


class TestRayEngine(EngineContract):
    @pytest.fixture
    def engine(self, ray_session):
        # Workers don't have the tests on their path.
        ray.cloudpickle.register_pickle_by_value(contracts.engine)
        yield RayEngine()
        ray.cloudpickle.unregister_pickle_by_value(contracts.engine)


@pytest.mark.timeout(60)
def test_code_that_the_workers_do_not_have_is_an_error(ray_session):
    with pytest.raises(Exception, match=r"install on every node .*No module named 'contracts'"):
        RayEngine().map(contracts.engine.double, [1])


@pytest.mark.timeout(60)
def test_code_that_the_pool_does_not_have_is_an_error(ray_session):
    with pytest.raises(DistmlError, match=r"No module named 'contracts'.*install it on every node"):
        list(RayEngine().map_with(contracts.engine.Tally, [1]))


@pytest.fixture
def engine(ray_session):
    """For functions of this module, which workers don't have on their path either."""
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    yield RayEngine()
    ray.cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


def build_mortal(folder: Path, deaths: int):
    """A function that kills its worker at item 2, so many times."""

    def work(item: int) -> int:
        if item == 2 and len(list(folder.iterdir())) < deaths:
            (folder / str(time.time_ns())).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return item

    return work


def test_an_item_whose_worker_dies_is_done_by_another(engine, tmp_path):
    results = engine.map_with(lambda: build_mortal(tmp_path, 1), [0, 1, 2, 3])
    assert list(results) == [0, 1, 2, 3]
    assert len(list(tmp_path.iterdir())) == 1


def test_an_item_that_kills_every_worker_is_given_up(engine, tmp_path):
    results = engine.map_with(lambda: build_mortal(tmp_path, 99), [0, 1, 2, 3])
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(DistmlError, match="a worker lives until its work is done"):
        next(results)
    assert len(list(tmp_path.iterdir())) == MAX_ATTEMPTS


def test_closing_ends_the_workers(engine):
    results = engine.map_with(lambda: lambda item: os.getpid(), list(range(50)))
    pid = next(results)
    results.close()
    end = time.monotonic() + 30
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < end, "the worker lives on"
        time.sleep(0.1)
