import os
import re
import sys
import threading
from dataclasses import dataclass, fields, replace
from pathlib import Path

import pytest

import searches
from contracts.runner import RunnerContract
from distml.config import SearchConfig
from distml.storage import Storage
from distml.tune import Objective, Search, local
from distml.tune.budget import Budget
from distml.tune.log import TrialFiles
from problems import input_of, problem
from searches import SMALL, Dying, Heard, data_of, objective_of, repeatable, study_of

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_session")]
NUM_NUMERIC = 100


def on_ray(folder, study, objective=None, halving=None, max_concurrent=2, heard=None, data=None, **config):
    from distml.tune import on_ray

    heard = heard or Heard()
    settings = SearchConfig(**config)
    search = Search(study, halving, heard, budget=Budget.of(settings))
    records = on_ray.run_trials(
        search, objective or objective_of(), data or data_of(), TrialFiles(Storage(folder), "search"), settings,
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


@dataclass(frozen=True, kw_only=True)
class Measuring(Objective):
    """Writes down how many bytes of its own a trial's process holds more in a fit than before, beside others' names."""

    folder: str

    def run(self, candidate, data, on_epoch, *checkpoints):
        few = {recipe: tuple(rows.take(slice(0, 100)) for rows in pair) for recipe, pair in data.items()}
        super().run(candidate, few)  # what is loaded and allocated once
        before = own_bytes()

        def hear(result):
            grown = own_bytes() - before
            Path(self.folder, f"{candidate.number} {os.getpid()}").write_text(str(grown))
            return on_epoch(result)

        return super().run(candidate, data, hear, *checkpoints)


def own_bytes():
    """What is in memory of this process and of no other."""
    told = Path("/proc/self/smaps_rollup").read_text()
    return 1024 * sum(int(number) for number in re.findall(r"^Private_\w+: +(\d+)", told, re.MULTILINE))


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="Linux tells what is a process's own")
def test_rows_are_held_once_however_many_trials_there_are(tmp_path):
    rows = problem("binary", n=150_000, num_numeric=NUM_NUMERIC), problem("binary", n=500, num_numeric=NUM_NUMERIC)
    (tmp_path / "told").mkdir()
    known = objective_of(max_epochs=2, batch_size=4096)
    known = replace(known, inputs={"dense": input_of("binary", num_numeric=NUM_NUMERIC)})
    objective = Measuring(
        **{field.name: getattr(known, field.name) for field in fields(Objective)}, folder=str(tmp_path / "told")
    )
    study = study_of({}, families=("linear",), num_samples=4)
    records, _ = on_ray(tmp_path, study, objective, data={"dense": rows})
    assert [record.state for record in records] == ["finished"] * 4
    told = list((tmp_path / "told").iterdir())
    assert len({file.name.partition(" ")[2] for file in told}) == 2, "two processes"
    assert max(int(file.read_text()) for file in told) < rows[0].numeric.nbytes / 4
