import os
import re
import sys
import threading
from dataclasses import dataclass, fields
from pathlib import Path

import pytest

import searches
from contracts.runner import RunnerContract
from distml.config import SearchConfig
from distml.storage import Storage
from distml.tune import Objective, Search, local
from distml.tune.budget import Budget
from distml.tune.log import TrialFiles
from searches import SMALL, Dying, Heard, data_of, objective_of, repeatable, study_of

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_session")]


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


@pytest.fixture(scope="module", autouse=True)
def known_to_workers():
    """The workers of the cluster can't import what the tests are made of."""
    import ray

    modules = [searches, sys.modules[__name__]]
    for module in modules:
        ray.cloudpickle.register_pickle_by_value(module)
    yield
    for module in modules:
        ray.cloudpickle.unregister_pickle_by_value(module)


class TestOnRay(RunnerContract):
    short_s = 8.0

    @pytest.fixture(autouse=True)
    def patient(self, monkeypatch):
        """However long a worker takes to begin, its trial ends by itself."""
        from distml.tune import on_ray

        monkeypatch.setattr(on_ray, "OVERTIME_S", 300.0)

    def run(self, search, objective, data, log, folder):
        from distml.tune import on_ray

        folder.mkdir(exist_ok=True)
        return on_ray.run_trials(search, objective, data, log.files, SearchConfig(), folder=folder, max_concurrent=2)


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


def search_dying(tmp_path, num_deaths):
    objective = Dying.of(objective_of(checkpoint_interval_s=0), tmp_path / "deaths", num_deaths)
    study = study_of(overrides={}, families=("linear",), num_samples=3)
    return on_ray(tmp_path, study, objective, max_concurrent=1)


def test_a_killed_worker_costs_nothing(tmp_path):
    wanted = local.run_trials(Search(study_of(overrides={}, families=("linear",), num_samples=3), None, Heard()),
                              objective_of(), data_of())  # fmt: skip
    records, heard = search_dying(tmp_path, 2)
    assert heard.notes == ["the worker of trial 1 died; another takes it up"] * 2
    assert repeatable(records) == repeatable(wanted)
    for record in records:
        assert [epoch.epoch for epoch in heard.epochs[record.number]] == list(range(1, record.num_epochs + 1))


def test_a_trial_whose_workers_keep_dying_fails_and_the_others_finish(tmp_path):
    records, _ = search_dying(tmp_path, 100)
    assert len(os.listdir(tmp_path / "deaths")) == 3
    assert [record.state for record in records] == ["failed", "finished", "finished"]
    assert records[0].reason.startswith("its worker died 3 times, last: ")
    assert "\n" not in records[0].reason


@dataclass(frozen=True, kw_only=True)
class Hanging(Objective):
    """Never comes to the end of an epoch."""

    def run(self, candidate, data, on_epoch, *checkpoints):
        threading.Event().wait()


def test_a_trial_that_hangs_is_ended_after_its_time(tmp_path, monkeypatch):
    from distml.tune import on_ray as module

    monkeypatch.setattr(module, "OVERTIME_S", 0.5)
    hanging = Hanging(**{field.name: getattr(objective_of(), field.name) for field in fields(Objective)})
    records, _ = on_ray(tmp_path, study_of(num_samples=5), hanging, max_concurrent=1, time_budget_s=5)
    assert [(record.number, record.state, record.score) for record in records] == [(1, "stopped", None)]
