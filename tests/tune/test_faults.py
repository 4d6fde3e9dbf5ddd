"""Workers, trials' processes and nodes that die in the middle of a search, by SIGKILL."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from distml.config import SearchConfig
from distml.storage import Storage
from distml.tune import Search, local
from distml.tune.log import TrialFiles
from distml.tune.schedulers import Halving
from processes import descendants, gone
from searches import AUC, Heard, data_of, objective_of, study_of

pytestmark = [pytest.mark.ray, pytest.mark.slow]

TESTS = Path(__file__).parents[1]
WORKER = "ray::RayTrainWorker"
TRIAL = ["ray::_Runner", "ray::ResourceTrainable"]  # while it waits for Tune, and while Tune waits for it
SMALL = {"mlp": {"width": 16, "num_blocks": 1, "embedding_width": 4, "dropout": 0.0}, "trees": {"num_leaves": 4}}


def search_by_two(folder, study, objective, heard, halving=None, max_concurrent=2, **settings):
    from distml.lifecycle.workers import by_workers
    from distml.tune import on_ray
    from distml.tune.budget import Budget

    config = SearchConfig(workers_per_trial=2, resources_per_trial={"cpu": 0.5}, **settings)
    return on_ray.run_trials(
        Search(study, halving, heard, budget=Budget.of(config)), by_workers(objective, config), data_of(),
        TrialFiles(Storage(folder), "search"), config, folder=folder, max_concurrent=max_concurrent,
    )  # fmt: skip


def nothing_left():
    from ray.util import placement_group_table

    reserved = [group for group in placement_group_table().values() if group["state"] != "REMOVED"]
    return gone(descendants(WORKER) | descendants("ray::TrainController")) and not reserved


@pytest.mark.usefixtures("ray_session")
def test_trials_of_two_workers_are_those_of_one(tmp_path):
    def halving():
        return Halving(AUC, max_epochs=14, lag=1)

    def study():
        return study_of(SMALL, families=("mlp", "trees", "linear"), num_samples=5, lag=1)

    heard = Heard()
    wanted = local.run_trials(Search(study(), halving(), Heard()), objective_of(), data_of())
    found = search_by_two(tmp_path, study(), objective_of(), heard, halving())
    assert [(record.number, record.family, record.state) for record in found] == [
        (record.number, record.family, record.state) for record in wanted
    ]
    assert [record.score for record in found] == pytest.approx([record.score for record in wanted], abs=1e-3)
    assert {record.state for record in found} == {"finished", "pruned"}
    for record in found:
        by = "trees: fitted by one worker" if record.family == "trees" else "2 workers, joined by gloo"
        assert record.notes == (by,)
        assert [epoch.epoch for epoch in heard.epochs[record.number]] == list(range(1, record.num_epochs + 1))
    assert nothing_left()


class Killing(Heard):
    """Kills one process of each of these names in turn, the last first, when an epoch is heard of."""

    def __init__(self, *names):
        super().__init__()
        self.names = list(names)

    def on_epochs(self, number, epochs):
        super().on_epochs(number, epochs)
        if self.names:
            os.kill(max(pid for name in self.names.pop() for pid in descendants(name)), signal.SIGKILL)


@pytest.mark.usefixtures("ray_session")
def test_a_search_outlives_a_worker_and_a_trials_own_process(tmp_path):
    study = study_of(SMALL, families=("mlp",), num_samples=2)
    heard = Killing(TRIAL, [WORKER])
    objective = objective_of(checkpoint_interval_s=0, max_epochs=80, patience=80)
    records = search_by_two(tmp_path, study, objective, heard, max_concurrent=1)
    assert heard.names == []
    assert [(record.number, record.state, record.num_epochs) for record in records] == [
        (1, "finished", 80),
        (2, "finished", 80),
    ]
    for record in records:
        assert [epoch.epoch for epoch in heard.epochs[record.number]] == list(range(1, 81))
    assert any("died" in note for note in heard.notes)
    assert nothing_left()


@pytest.mark.usefixtures("ray_session")
def test_workers_end_with_the_time_of_a_search(tmp_path):
    study = study_of(SMALL, families=("mlp",), num_samples=4)
    forever = objective_of(max_epochs=10**6, patience=10**6)
    records = search_by_two(tmp_path, study, forever, Heard(), time_budget_s=25)
    assert {record.state for record in records} == {"stopped"}
    assert nothing_left()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_search_outlives_a_node(tmp_path, workers):
    path = os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])
    subprocess.run(
        [sys.executable, str(TESTS / "losing_a_node.py"), str(tmp_path), str(workers)],
        check=True, timeout=540, env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    heard = json.loads((tmp_path / "heard.json").read_text())
    assert heard["killed"]
    assert any("died" in note for note in [*heard["notes"], *(n for r in heard["records"] for n in r["notes"])])
    assert [(record["number"], record["state"]) for record in heard["records"]] == [
        (1, "finished"), (2, "finished"), (3, "finished")
    ]  # fmt: skip
    for found, wanted in zip(heard["records"], heard["wanted"], strict=True):
        assert found["score"] == pytest.approx(wanted["score"], abs=1e-3)
        assert found["num_epochs"] == wanted["num_epochs"]
        assert heard["epochs"][str(found["number"])] == list(range(1, found["num_epochs"] + 1))
    assert_none_began_again(heard["told"])
    assert heard["all_gone"]


def assert_none_began_again(told):
    """Epochs told again are those of the checkpoint, as they were; only one that it missed is fitted again."""
    num_processes = 0
    for lines in told.values():
        fitted = defaultdict(set)
        for line in lines:
            _, epoch, seconds = line.split()
            fitted[int(epoch)].add(seconds)
        num_processes = max(num_processes, sum(line.split()[1] == "1" for line in lines))
        again = [epoch for epoch, times in fitted.items() if len(times) > 1]
        assert len(again) <= 1
        assert 1 not in again
    assert num_processes > 1, "no trial was under way on the node that died"
