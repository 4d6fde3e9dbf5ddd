import contextlib
import os
import re
import signal
from pathlib import Path

import pytest

from distml.config import SearchConfig
from distml.storage import Storage
from distml.tune import Search, local
from distml.tune.budget import Budget
from distml.tune.log import TrialFiles
from distml.tune.schedulers import Halving
from searches import AUC, SMALL, Heard, data_of, objective_of, repeatable, study_of

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_session")]

# Some of these diverge, and LightGBM refuses some; the rest are finished or pruned.
OVERRIDES = {
    "mlp": {**SMALL["mlp"], "lr": {"choice": [0.01, 1e30]}},
    "trees": {"num_leaves": {"choice": [1, 4]}},
}


def on_ray(folder, study, objective=None, halving=None, max_concurrent=2, heard=None, **config):
    from distml.tune import on_ray

    heard = heard or Heard()
    settings = SearchConfig(**config)
    search = Search(study, halving, heard, budget=Budget.of(settings))
    records = on_ray.run_trials(
        search, objective or objective_of(), data_of(), TrialFiles(Storage(folder), "search"), settings,
        folder=folder, max_concurrent=max_concurrent,
    )  # fmt: skip
    return records, heard


def test_trials_are_those_of_a_local_search(tmp_path):
    def halving():
        return Halving(AUC, max_epochs=14, lag=4)

    here = Heard()
    search = Search(study_of(OVERRIDES, seed=2), halving(), here)
    wanted = local.run_trials(search, objective_of(), data_of(), TrialFiles(Storage(tmp_path), "search"))
    found, there = on_ray(tmp_path, study_of(OVERRIDES, seed=2), halving=halving())
    assert repeatable(found) == repeatable(wanted)
    assert there.curves() == here.curves()
    assert sorted(there.ended, key=lambda record: record.number) == found
    assert {record.state for record in found} == {"finished", "pruned", "failed"}
    assert {record.family for record in found if record.score is not None} == {"linear", "mlp", "trees"}


def test_a_failure_that_nothing_foresaw_is_told_in_one_line(tmp_path):
    overrides = {"mlp": {**SMALL["mlp"], "dropout": 2}}
    records, _ = on_ray(tmp_path, study_of(overrides, families=("linear", "mlp"), num_samples=2))
    assert [record.state for record in records] == ["finished", "failed"]
    assert records[1].reason.startswith("ValueError: dropout")
    assert "\n" not in records[1].reason
    told = re.search(r"\(more in (.*)\)", records[1].reason)
    assert "Traceback" in Path(told[1]).read_text()


def test_a_trial_out_of_memory_says_so_and_the_others_finish(tmp_path):
    overrides = {"mlp": {"width": 10**10, "num_blocks": 1, "embedding_width": 4}}
    records, _ = on_ray(tmp_path, study_of(overrides, families=("mlp", "linear"), num_samples=2))
    assert [record.state for record in records] == ["failed", "finished"]
    assert records[0].reason.startswith("out of memory: ")


class Killing(Heard):
    """Kills the worker of trial 1, so many times, when an epoch is heard of."""

    def __init__(self, num_kills):
        super().__init__()
        self.num_kills = num_kills

    def on_epochs(self, number, epochs):
        super().on_epochs(number, epochs)
        if number == 1 and self.num_kills:
            self.num_kills -= 1
            (worker,) = trial_workers()
            os.kill(worker, signal.SIGKILL)


def trial_workers():
    """Ids of the processes of this user's Ray clusters that run a trial."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (process / "cmdline").read_bytes().startswith(b"ray::_Inner"):
                found.append(int(process.name))
    return found


def search_killed(tmp_path, num_kills):
    heard = Killing(num_kills)
    objective = objective_of(checkpoint_interval_s=0)
    study = study_of(overrides={}, families=("linear",), num_samples=3)
    return on_ray(tmp_path, study, objective, max_concurrent=1, heard=heard)


def test_a_killed_worker_costs_nothing(tmp_path):
    wanted = local.run_trials(Search(study_of(overrides={}, families=("linear",), num_samples=3), None, Heard()),
                              objective_of(), data_of())  # fmt: skip
    records, heard = search_killed(tmp_path, 2)
    assert heard.num_kills == 0
    assert heard.notes == ["the worker of trial 1 died; another takes it up"] * 2
    assert repeatable(records) == repeatable(wanted)
    for record in records:
        assert [epoch.epoch for epoch in heard.epochs[record.number]] == list(range(1, record.num_epochs + 1))


def test_a_trial_whose_workers_keep_dying_fails_and_the_others_finish(tmp_path):
    records, heard = search_killed(tmp_path, 100)
    assert heard.num_kills == 97
    assert [record.state for record in records] == ["failed", "finished", "finished"]
    assert records[0].reason.startswith("its worker died 3 times, last: ")
    assert "\n" not in records[0].reason


def test_trials_that_run_out_of_time_are_stopped(tmp_path):
    forever = objective_of(max_epochs=10**6, patience=10**6)
    study = study_of(families=("linear",), overrides={}, num_samples=50)
    records, heard = on_ray(tmp_path, study, forever, time_budget_s=4)
    assert 1 <= len(records) < 50
    assert {record.state for record in records} == {"stopped"}
    assert len(heard.ended) == len(records) == len(heard.started)
