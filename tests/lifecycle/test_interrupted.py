"""Ctrl-C, SIGTERM and kill -9 in the middle of an epoch that would not end: the run ends at once, and goes on later.

The network is the user's own. It computes for as long as a file says so, as a step of a large one would, and counts
its steps of training in another file.
"""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from commands import command, distml, document, environment, processes_of
from distml.storage import Storage

NETWORK = '''
from pathlib import Path

import torch
from torch import nn

HOME = Path(__file__).parent
STAGES = {"tune": "store/searched/*/trials/*.json", "train": "store/searched/*/result.json"}


def is_stuck():
    """Whether the stage that the file `stuck` names has come."""
    try:
        return any(HOME.glob(STAGES[(HOME / "stuck").read_text()]))
    except FileNotFoundError:
        return False


class Net(nn.Module):
    def __init__(self, input):
        super().__init__()
        self.body = nn.Linear(input.num_numeric, input.num_outputs)
        self.num_steps = 0

    def forward(self, numeric, categorical, tensors=None):
        if self.training:
            with (HOME / "steps").open("a") as steps:
                steps.write(".")
            self.num_steps += 1
        while self.num_steps > 2.5 * STEPS and is_stuck():
            (HOME / "entered").touch()
            torch.ones(64, 64) @ torch.ones(64, 64)
        return self.body(numeric)


def build(params, input):
    return Net(input)
'''
NUM_TRIALS, NUM_EPOCHS, NUM_STEPS = 3, 6, 10  # 397 rows of training in batches of 40
NUM_REFIT_STEPS = 13  # with the 86 of validation
CONFIG = f"""
name: stuck
storage: store
data: {{source: {{uri: "sklearn:breast_cancer"}}, target: target, task: binary, positive: malignant}}
model: {{factory: "stuck_net:build"}}
search: {{num_samples: {NUM_TRIALS}, metric: log_loss, scheduler: none, max_concurrent_trials: 2}}
train: {{max_epochs: {NUM_EPOCHS}, patience: 100, batch_size: 40, checkpoint_interval_s: 0}}
"""
ENDS_WITHIN_S = 10  # whatever it is in the middle of
OWN = ("--allow-code", "stuck_net")

Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config.yaml").write_text(CONFIG)
    (tmp_path / "stuck_net.py").write_text(NETWORK.replace("STEPS", str(NUM_STEPS)))
    return tmp_path


@pytest.fixture
def start(folder: Path) -> Iterator[Start]:
    """Starts a command that gets stuck in a stage, and waits until it is."""
    started: list[subprocess.Popen[bytes]] = []

    def start_until_stuck(stage: str, engine: str) -> subprocess.Popen[bytes]:
        (folder / "stuck").write_text(stage)
        with (folder / "err").open("wb") as errors:
            process = subprocess.Popen(
                command(stage, "config.yaml", "--engine", engine, *OWN), cwd=folder, env=environment(),
                stdout=subprocess.DEVNULL, stderr=errors,
            )  # fmt: skip
        started.append(process)
        while not (folder / "entered").exists():  # the test's own timeout ends it
            assert process.poll() is None, (folder / "err").read_text()
            time.sleep(0.05)
        return process

    yield start_until_stuck
    for process in started:
        process.kill()
        process.wait()


def go_on(folder: Path) -> dict[str, object]:
    """What the run comes to when it is resumed."""
    (folder / "stuck").unlink()
    (run,) = Storage(folder / "store").list("runs")
    return document(distml("resume", run, "--storage", "store", "--engine", "local", *OWN, "--json", cwd=folder))


def check_left(folder: Path) -> None:
    """No process, nothing half-written, no run of MLflow that runs."""
    assert not processes_of(folder)
    assert not list((folder / "store").rglob(".tmp-*"))
    assert "RUNNING" not in statuses(folder)


def check_trials(folder: Path) -> None:
    """Every trial once, from its checkpoint where it had one."""
    (search,) = Storage(folder / "store").list("searched")
    records = Storage(folder / "store").read_json(f"searched/{search}/result.json")["records"]
    assert [record["number"] for record in records] == list(range(1, NUM_TRIALS + 1))
    assert [record["num_epochs"] for record in records] == [NUM_EPOCHS] * NUM_TRIALS
    assert sorted(statuses(folder)) == ["FINISHED"] * (NUM_TRIALS + 1)


def statuses(folder: Path) -> list[str]:
    with closing(sqlite3.connect(folder / "store" / "mlflow" / "mlflow.db")) as database:
        return [status for (status,) in database.execute("select status from runs")]


def num_steps(folder: Path) -> int:
    return len((folder / "steps").read_text())


ON_RAY, SLOW = pytest.mark.ray, pytest.mark.slow


@pytest.mark.parametrize(
    ("number", "engine"),
    [
        (signal.SIGTERM, "local"),
        pytest.param(signal.SIGINT, "ray", marks=ON_RAY),
        pytest.param(signal.SIGINT, "local", marks=SLOW),
        pytest.param(signal.SIGTERM, "ray", marks=[ON_RAY, SLOW]),
    ],
)
def test_a_search_ends_within_an_epoch_and_goes_on_from_there(
    folder: Path, start: Start, engine: str, number: signal.Signals
) -> None:
    process = start("tune", engine)
    process.send_signal(number)
    assert process.wait(ENDS_WITHIN_S) == 130
    check_left(folder)
    told = go_on(folder)
    assert told["trials"] == {"finished": NUM_TRIALS, "pruned": 0, "failed": 0, "stopped": 0}
    check_trials(folder)
    num_stuck = 1 if engine == "local" else 2
    assert num_steps(folder) <= NUM_TRIALS * NUM_EPOCHS * NUM_STEPS + num_stuck * NUM_STEPS, "none from zero"


def test_show_tells_of_a_search_in_its_middle_and_of_one_that_was_cut_off(folder: Path, start: Start) -> None:
    process = start("tune", "local")
    (run,) = Storage(folder / "store").list("runs")
    search = document(distml("show", run, "--storage", "store", "--json", cwd=folder))["search"]
    (trial,) = search["trials"]
    assert (trial["number"], trial["family"], trial["state"]) == (1, "own", "running")
    assert (search["counts"], search["best"]) == ({"running": 1}, None)
    process.kill()
    process.wait()
    told = distml("show", run, "--storage", "store", cwd=folder).stdout
    assert f"run {run}: lost" in told
    assert f"trials: 1 cut off, of {NUM_TRIALS} in " in told


@pytest.mark.parametrize(
    ("number", "engine"),
    [
        (signal.SIGKILL, "local"),
        pytest.param(signal.SIGTERM, "local", marks=SLOW),
        pytest.param(signal.SIGTERM, "ray", marks=[ON_RAY, SLOW]),
        pytest.param(signal.SIGKILL, "ray", marks=[ON_RAY, SLOW]),
    ],
)
def test_a_refit_ends_too_and_the_search_is_not_repeated(
    folder: Path, start: Start, engine: str, number: signal.Signals
) -> None:
    process = start("train", engine)
    num_before = num_steps(folder)
    process.send_signal(number)
    code = process.wait(ENDS_WITHIN_S)
    if number == signal.SIGTERM:
        assert code == 130
        check_left(folder)
    told = go_on(folder)
    assert told["package"] is not None
    check_trials(folder)
    assert num_steps(folder) - num_before <= NUM_EPOCHS * NUM_REFIT_STEPS, "only what was cut off is fitted again"


@pytest.mark.ray
def test_after_kill_9_in_a_search_nothing_runs_on_and_it_goes_on_from_its_checkpoints(
    folder: Path, start: Start
) -> None:
    process = start("tune", "ray")
    process.kill()
    process.wait()
    end = time.monotonic() + 60
    while processes_of(folder):
        assert time.monotonic() < end, processes_of(folder)
        time.sleep(0.2)
    told = go_on(folder)
    assert told["trials"] == {"finished": NUM_TRIALS, "pruned": 0, "failed": 0, "stopped": 0}
    check_trials(folder)
    assert num_steps(folder) <= NUM_TRIALS * NUM_EPOCHS * NUM_STEPS + 2 * NUM_STEPS, "none from zero"


@pytest.mark.slow
@pytest.mark.ray
def test_a_second_signal_ends_it_at_once_and_nothing_runs_on(folder: Path, start: Start) -> None:
    process = start("tune", "ray")
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    assert process.wait(ENDS_WITHIN_S) in (130, -signal.SIGINT)
    end = time.monotonic() + 60
    while processes_of(folder):
        assert time.monotonic() < end, processes_of(folder)
        time.sleep(0.2)
    assert go_on(folder)["trials"] == {"finished": NUM_TRIALS, "pruned": 0, "failed": 0, "stopped": 0}
    check_trials(folder)
