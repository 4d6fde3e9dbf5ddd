"""On a cluster: a worker that dies changes nothing; what a piece of the table, or a fit, reserves is what it has."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from distml.config import RunConfig, SearchConfig, TrainConfig
from distml.errors import ConfigError
from distml.lifecycle.workers import by_workers, not_had
from distml.metrics import METRICS
from distml.training import FitSettings
from distml.tune import Objective
from partitions import WAYS, assert_same, dirty_table, tell, with_overlap

pytestmark = pytest.mark.ray

SOURCE = dirty_table(900)
TABLES = {"source": SOURCE, "test": with_overlap(dirty_table(200, seed=9), SOURCE)}
SECTIONS = {
    "clean": {"rules": {"count": {"min": 0, "on_violation": "quarantine"}}},
    "split": {"folds": 3},
    "model": {"families": ["linear"]},
}


@pytest.fixture
def hooked(ray_session):
    """The module `hooked`, carried to the workers by value."""
    import ray

    import hooked

    ray.cloudpickle.register_pickle_by_value(hooked)
    yield hooked
    ray.cloudpickle.unregister_pickle_by_value(hooked)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    return tell(tmp_path_factory.mktemp("undisturbed"), WAYS["one file"], TABLES, SECTIONS)


@pytest.mark.parametrize("step", ["read", "make", "map"])
def test_a_worker_that_dies_changes_nothing(hooked, tmp_path, undisturbed, step):
    engine = hooked.HookedEngine(hooked.DiesOnce(tmp_path, step))
    assert_same(tell(tmp_path, WAYS["seven files"], TABLES, SECTIONS, engine), undisturbed)
    assert (tmp_path / "died").exists()


def test_a_gpu_that_no_node_has_is_refused(ray_session, tmp_path):
    from distml.lifecycle.run import cluster_resources

    data = {"source": {"uri": "rows.csv"}, "target": "y", "resources": {"gpu": 0.25}}
    config = RunConfig.model_validate({"name": "demo", "storage": str(tmp_path), "data": data})
    with pytest.raises(ConfigError, match=r"0\.25 GPU, at most 0 on a node;.*add a node with a GPU") as caught:
        cluster_resources(config)
    assert caught.value.where == "data.resources"


def test_fits_on_a_gpu_that_no_node_has_are_refused(ray_session, tmp_path):
    from distml.lifecycle.run import cluster_resources

    values = {"data": {"source": {"uri": "rows.csv"}, "target": "y"}, "train": {"device": "cuda"}}
    config = RunConfig.model_validate({"name": "demo", "storage": str(tmp_path), **values})
    with pytest.raises(ConfigError, match="cuda, and no node has a GPU") as caught:
        cluster_resources(config)
    assert caught.value.where == "train.device"


WITH_A_GPU = """
import sys
from pathlib import Path

import ray

import hooked
from partitions import WAYS, dirty_table, tell

ray.init(address="local", num_cpus=2, num_gpus=1, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
ray.cloudpickle.register_pickle_by_value(hooked)
folder = Path(sys.argv[1])
(folder / "told").mkdir()
engine = hooked.HookedEngine(hooked.Reports(folder / "told"))
sections = {"data": {"resources": {"cpu": 0.5, "gpu": 0.25}}}
prepared = tell(folder, WAYS["one file"], {"source": dirty_table(400)}, sections, engine).prepared
assert sum(prepared.num_rows.values()) > 300
"""


def test_both_passes_reserve_what_the_config_says(tmp_path):
    """On a cluster of its own that declares a GPU."""
    around = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", WITH_A_GPU, str(tmp_path)], env=around, capture_output=True, text=True, timeout=200,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / "told").iterdir()) == [
        f"{s} 0.5 0.25" for s in ("make", "map", "read")
    ]


# What fits have of a cluster


def objective_of(device: str) -> Objective:
    settings = FitSettings(config=TrainConfig(device=device))
    return Objective(task="binary", metric=METRICS["roc_auc"], inputs={}, settings=settings)


@pytest.mark.parametrize(("gpu", "device"), [(0, "cpu"), (0.25, "auto")])
@pytest.mark.parametrize("workers", [1, 2])
def test_fits_leave_a_gpu_alone_that_they_do_not_reserve(gpu, device, workers):
    config = SearchConfig(resources_per_trial={"gpu": gpu}, workers_per_trial=workers)
    assert by_workers(objective_of("auto"), config).settings.config.device == device


def test_what_fits_go_without_is_told(ray_session):
    assert not_had(SearchConfig(), is_local=False) == [], "no node has a GPU"
    assert not_had(SearchConfig(), is_local=True) == []
    (line,) = not_had(SearchConfig(workers_per_trial=2), is_local=True)
    assert "one worker" in line
