"""A real MLflow server goes away in the middle of a run: the run doesn't notice, and the gap is filled."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from commands import environment
from distml.config import RunConfig, parse_config
from distml.errors import StorageError
from distml.lifecycle.preflight import preflight
from distml.lifecycle.reap import send_rest, unsent_runs
from distml.lifecycle.reporter import Silent
from distml.lifecycle.run import Resources, resume, run
from distml.lifecycle.runs import list_runs
from distml.storage import Storage
from distml.tracking.mlflow import MlflowTracker
from distml.tune.log import TrialLog
from mlflow_servers import MlflowServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]  # a server takes long to start
NUM_TRIALS = 5
CONFIG = """
name: {name}
data: {{source: {{uri: "sklearn:breast_cancer"}}, target: target, task: binary, positive: malignant}}
model: {{families: [linear, trees]}}
search: {{num_samples: {num_trials}, metric: log_loss}}
train: {{max_epochs: 6}}
tracking: {{uri: "{uri}", wait_s: {wait_s}}}
storage: {storage}
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = MlflowServer(tmp_path_factory.mktemp("server"))
    server.start()
    yield server
    server.kill()


@pytest.fixture
def there(server):
    server.start() if server._process is None else None
    return server


class Meanwhile(Silent):
    """Does something when a trial has ended or a stage begins, and remembers what is said."""

    def __init__(self, **actions):
        self.actions = actions
        self.notes = []

    def _do(self, name):
        self.actions.pop(name, lambda: None)()

    def stage(self, name, note):
        self.notes.append((name, note))
        self._do(name)

    def trial(self, record, best, num_done, num_samples):
        self._do(f"trial_{num_done}")


def config_of(folder, server, wait_s=60) -> RunConfig:
    """With a name of its own, as all share one server."""
    name = folder.name.replace("_", "-")
    return parse_config(CONFIG.format(name=name, storage=folder, uri=server.uri, wait_s=wait_s, num_trials=NUM_TRIALS))


def check(server, storage, result):
    """MLflow has all of the run, each thing once and at its time, and nothing is left running."""
    tracker = MlflowTracker(server.uri, result["name"])
    client = tracker.client
    own = client.get_run(result["tracking_run"])
    assert own.info.status == "FINISHED"
    assert {name for name in own.data.metrics if name.startswith("test_")} >= {"test_log_loss", "test_roc_auc"}
    assert own.data.tags["distml.promoted"] == str(result["verdict"]["promoted"])
    assert {used.tags[0].value for used in own.inputs.dataset_inputs} == {"train", "validation", "test"}
    assert {found.path for found in client.list_artifacts(own.info.run_id)} == {"report.html", "package"}
    assert "manifest.json" in [Path(found.path).name for found in client.list_artifacts(own.info.run_id, "package")]
    versions = client.search_model_versions(f"run_id = '{own.info.run_id}'")
    assert [version.tags["distml.version"] for version in versions] == [str(result["version"])]

    (key,) = storage.list("searched")
    trials = {trial.candidate.number: trial for trial in TrialLog(storage, f"searched/{key}").read()}
    children = {int(child.tags["distml.trial"]): child for child in tracker.children(own.info.run_id)}
    assert sorted(children) == sorted(trials) == list(range(1, NUM_TRIALS + 1))
    for number, child in children.items():
        known = client.get_run(child.run)
        assert known.info.status == "FINISHED"
        assert own.info.start_time <= known.info.start_time <= known.info.end_time <= own.info.end_time
        assert child.tags["distml.state"] == trials[number].record.state
        history = client.get_metric_history(child.run, "validation_log_loss")
        assert [(point.step, point.value) for point in sorted(history, key=lambda point: point.step)] == [
            (epoch.epoch, epoch.score) for epoch in trials[number].epochs
        ]
        assert all(known.info.start_time <= point.timestamp <= known.info.end_time for point in history)
    best = [number for number, child in children.items() if child.tags.get("distml.best") == "True"]
    assert best == [result["best"]["trial"]]


def test_a_server_that_is_away_for_a_while_gets_what_it_missed(there, tmp_path):
    told = Meanwhile(trial_2=there.kill, evaluate=lambda: there.start(wait=False))
    result = run(config_of(tmp_path, there), Resources(reporter=told))
    there.wait()
    notes = [note for name, note in told.notes if name == "track"]
    assert notes[0].startswith("the tracker is away")
    assert notes[-1].startswith("the tracker answers again")
    assert unsent_runs(Storage(tmp_path)) == []
    check(there, Storage(tmp_path), result.to_dict())


def test_what_a_server_misses_to_the_end_is_sent_when_it_is_back(there, tmp_path):
    told = Meanwhile(trial_2=there.kill)
    result = run(config_of(tmp_path, there, wait_s=0), Resources(reporter=told))
    storage = Storage(tmp_path)
    assert result.verdict is not None
    assert list_runs(storage)[0]["state"] == "finished"
    assert told.notes[-1][1].endswith(f"entries wait for the tracker: `distml track {result.run}` sends them")
    assert unsent_runs(storage) == [result.run]
    with pytest.raises(StorageError, match="the tracking server answers"):
        send_rest(storage, result.run)

    there.start()
    assert send_rest(storage, result.run) == []
    assert unsent_runs(storage) == []
    assert not storage.exists(f"runs/{result.run}/tracking")
    check(there, storage, result.to_dict())


def test_a_driver_that_is_killed_while_the_server_is_away_is_resumed(there, tmp_path):
    """What it had put by goes first, at its times; what it had not is told from the log of trials."""
    (tmp_path / "driver.py").write_text(
        "import os, signal, sys, time\n"
        "from test_away import *\n"
        "folder, uri, pid = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])\n"
        "class Server: pass\n"
        "server = Server(); server.uri = uri\n"
        "def away(): os.killpg(pid, signal.SIGKILL)\n"
        "def die():\n"
        "    while not list(folder.glob('runs/*/tracking/*.json')): time.sleep(0.1)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "run(config_of(folder, server), Resources(reporter=Meanwhile(trial_2=away, trial_4=die)))\n"
    )
    store = tmp_path / "killed"
    here = Path(__file__).parent
    done = subprocess.run(
        [sys.executable, str(tmp_path / "driver.py"), str(store), there.uri, str(there._process.pid)],
        env={**environment(), "PYTHONPATH": f"{here}:{here.parent}"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == -9, done.stderr
    there.kill()
    storage = Storage(store)
    (record,) = list_runs(storage)
    assert storage.list(f"runs/{record['run']}/tracking")
    there.start()
    result = resume(storage, record["run"], Resources())
    check(there, storage, result.to_dict())


def test_a_server_that_is_not_there_at_the_beginning_is_refused(there, tmp_path):
    there.kill()
    with pytest.raises(StorageError, match=r"the tracking server answers.*start it"):
        preflight(config_of(tmp_path, there))
    assert list_runs(Storage(tmp_path)) == []
