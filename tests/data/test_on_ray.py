import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
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


def rows_of(item: int) -> Iterator[int]:
    yield from range(3)


def kill_at(step: str, folder: Path, deaths: int) -> Callable[[str, int], None]:
    """Kills the worker that comes to a step with number 2, so many times."""

    def come_to(here: str, number: int) -> None:
        if here == step and number == 2 and len(list(folder.iterdir())) < deaths:
            (folder / str(time.time_ns())).touch()
            os.kill(os.getpid(), signal.SIGKILL)

    return come_to


def shelve_and_sum(engine: RayEngine, come_to: Callable[[str, int], None]) -> list[int]:
    def make(item: int, number: int, block: int) -> tuple[str, pa.Table]:
        come_to("make", item)
        return f"{item}/{number}", pa.table({"x": [10 * item + block]})

    def add(table: pa.Table, more: int) -> int:
        come_to("map", more)
        return table.column("x")[0].as_py() + more

    shelf = engine.shelve(rows_of, make, [0, 1, 2])
    assert shelf.notes == [f"{item}/{number}" for item in range(3) for number in range(3)]
    return shelf.map(add, list(range(9)))


@pytest.mark.parametrize("step", ["make", "map"])
def test_what_a_dead_worker_was_at_is_done_by_another(engine, tmp_path, step):
    found = shelve_and_sum(engine, kill_at(step, tmp_path, 1))
    assert found == [0, 2, 4, 13, 15, 17, 26, 28, 30]
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.timeout(120)
@pytest.mark.parametrize("step", ["make", "map"])
def test_a_table_that_kills_every_worker_is_given_up(engine, tmp_path, step):
    with pytest.raises(DistmlError, match="a worker lives until its work is done"):
        shelve_and_sum(engine, kill_at(step, tmp_path, 99))
    assert len(list(tmp_path.iterdir())) == MAX_ATTEMPTS


def test_closing_ends_the_workers(engine):
    results = engine.map_with(lambda: lambda item: os.getpid(), list(range(50)))
    pid = next(results)
    results.close()
    end = time.monotonic() + 30
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < end, "the worker lives on"
        time.sleep(0.1)
