"""A run is killed at random moments, again and again, until it ends: nothing is lost and nothing is done twice."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from itertools import pairwise

import pytest

from commands import command, distml, document, environment, processes_of
from distml.lifecycle.runs import list_runs
from distml.models import FAMILIES
from distml.storage import Storage
from distml.tracking.mlflow import MlflowTracker, embedded_uri
from distml.tune.log import TrialLog

NUM_TRIALS, NUM_EPOCHS = 8, 8
# Batches of one row make an epoch last long enough to be killed in.
CONFIG = f"""
name: tiny
data: {{source: {{uri: "sklearn:breast_cancer"}}, target: target, task: binary, positive: malignant}}
model: {{families: [linear, mlp]}}
search:
  num_samples: {NUM_TRIALS}
  metric: log_loss
  scheduler: none
  space: {{mlp: {{width: 16, num_blocks: 1, lr: 0.001}}}}
train: {{max_epochs: {NUM_EPOCHS}, patience: 100, batch_size: 1, checkpoint_interval_s: 0.2}}
"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """What a run comes to that nothing cuts off."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "tiny.yaml").write_text(CONFIG)
    return folder, document(distml("run", "tiny.yaml", "--json", cwd=folder))


def progress(storage):
    """Trial -> its last epoch and whether it has ended, as the log has it."""
    return {
        trial.candidate.number: (trial.epochs[-1].epoch if trial.epochs else 0, trial.record is not None)
        for stage in storage.list("searched")
        for trial in TrialLog(storage, f"searched/{stage}").read()
    }


def kill_until_done(folder, chance, kill):
    """Starts and kills until the run ends by itself; returns its record and what each process left."""
    storage = Storage(folder / "distml-store")
    left, patience_s = [], 10.0
    while True:
        run = next(iter(list_runs(storage)), None)
        if run is not None and run["state"] == "finished":  # killed on its way out
            return list_runs(storage), left
        arguments = ["resume", run["run"]] if run else ["run", "tiny.yaml"]
        process = subprocess.Popen(
            command(*arguments), cwd=folder, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        try:
            _, told = process.communicate(timeout=chance.uniform(1.0, patience_s))
            assert process.returncode == 0, told
            return list_runs(storage), left
        except subprocess.TimeoutExpired:
            process.send_signal(kill)
            process.communicate()
            left.append(progress(storage))
        patience_s *= 1.3  # so that it ends on a slow machine too


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(("seed", "kill"), [(0, signal.SIGKILL), (2, signal.SIGTERM)])
def test_a_run_killed_at_random_moments_comes_to_what_it_would_have(seed, kill, whole, tmp_path):
    (tmp_path / "tiny.yaml").write_text(CONFIG)
    runs, left = kill_until_done(tmp_path, random.Random(seed), kill)
    assert len(runs) == 1, "one run, gone on with"
    assert left
    assert runs[0]["state"] == "finished"

    for before, after in pairwise(left):
        for number, (epoch, has_ended) in before.items():
            assert after[number][0] >= epoch, "progress never falls"
            assert after[number][1] >= has_ended

    folder, document = whole
    result = runs[0]["result"]
    for key in ("best", "trials", "metrics", "baselines"):
        assert result[key] == document[key], key
    assert searched(tmp_path) == searched(folder)

    check_tracking(tmp_path, runs[0])
    assert_gone(tmp_path)


def searched(folder):
    """The records of the one search there, without times."""
    storage = Storage(folder / "distml-store")
    (stage,) = storage.list("searched")
    records = storage.read_json(f"searched/{stage}/result.json")["records"]
    assert [record["number"] for record in records] == list(range(1, NUM_TRIALS + 1))
    return [{key: value for key, value in record.items() if key != "seconds"} for record in records]


def check_tracking(folder, run):
    """MLflow has each trial once, each of its epochs once, and nothing left running."""
    store = folder / "distml-store"
    tracker = MlflowTracker(embedded_uri(str(store)), "tiny")
    statuses = [found.info.status for found in tracker.client.search_runs([tracker._experiment])]
    assert statuses == ["FINISHED"] * (NUM_TRIALS + 1)
    records = {record["number"]: record for record in searched(folder)}
    children = tracker.children(run["tracking_run"])
    assert sorted(int(child.tags["distml.trial"]) for child in children) == list(range(1, NUM_TRIALS + 1))
    for child in children:
        record = records[int(child.tags["distml.trial"])]
        assert child.tags["distml.state"] == record["state"] == "finished"
        logged = tracker.client.get_run(child.run).data.params
        resolved = {"family": record["family"], **FAMILIES[record["family"]].defaults, **record["params"]}
        assert logged == {key: str(value) for key, value in resolved.items()}
        history = tracker.client.get_metric_history(child.run, "validation_log_loss")
        assert sorted(value.step for value in history) == list(range(1, NUM_EPOCHS + 1))
        assert min(value.value for value in history) == record["score"]


def assert_gone(folder):
    end = time.monotonic() + 60
    while processes_of(folder) and time.monotonic() < end:
        time.sleep(0.2)
    assert processes_of(folder) == []
