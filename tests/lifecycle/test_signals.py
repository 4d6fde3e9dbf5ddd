"""Ctrl-C and SIGTERM in the middle of a run, and kill -9: nothing is left running, nothing half-written, and the
same command goes on."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from commands import command, distml, document, environment, processes_of

CONFIG = """
name: stopped
storage: store
data: {source: {uri: "sklearn:digits"}, target: target, task: multiclass}
model: {families: [mlp]}
search: {num_samples: 200, metric: log_loss, scheduler: none}
train: {max_epochs: 200, patience: 200}
"""

pytestmark = pytest.mark.ray
Start = Callable[[Path], "subprocess.Popen[bytes]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts runs and waits until their first trials are under way; ends those that a test left."""
    started: list[subprocess.Popen[bytes]] = []

    def start_search(folder: Path) -> subprocess.Popen[bytes]:
        (folder / "config.yaml").write_text(CONFIG)
        with (folder / "err").open("wb") as errors:
            process = subprocess.Popen(
                command("run", "config.yaml"), cwd=folder, env=environment(), stdout=subprocess.DEVNULL, stderr=errors
            )
        started.append(process)
        _wait_until(lambda: _num_trials(folder) > 0 or process.poll() is not None, 180)
        assert process.poll() is None, (folder / "err").read_text()
        return process

    yield start_search
    for process in started:
        process.terminate()
        process.wait(60)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_search_and_leaves_nothing(number: signal.Signals, start: Start, tmp_path: Path) -> None:
    process = start(tmp_path)
    process.send_signal(number)
    assert process.wait(30) == 130
    assert not processes_of(tmp_path)
    (record,) = document(distml("runs", "--storage", "store", "--json", cwd=tmp_path))
    assert record["state"] == "interrupted"
    assert set(_statuses(tmp_path)) <= {"FINISHED", "FAILED", "KILLED"}
    assert not list(tmp_path.rglob(".tmp-*"))


def test_after_kill_9_nothing_runs_on_and_prepared_rows_are_used_again(start: Start, tmp_path: Path) -> None:
    process = start(tmp_path)
    process.kill()
    process.wait()
    _wait_until(lambda: not processes_of(tmp_path), 90)
    prepared = sorted((tmp_path / "store" / "prepared").rglob("*.safetensors"))
    stamps = [path.stat().st_mtime_ns for path in prepared]
    small = ["-s", "search.num_samples=1", "-s", "train.max_epochs=2"]
    done = distml("tune", "config.yaml", "--engine", "local", "--json", *small, cwd=tmp_path)
    assert document(done)["trials"]["finished"] == 1
    assert [path.stat().st_mtime_ns for path in prepared] == stamps
    states = {record["state"] for record in document(distml("runs", "--storage", "store", "--json", cwd=tmp_path))}
    assert "finished" in states


def _num_trials(folder: Path) -> int:
    return len(_statuses(folder)) - 1


def _statuses(folder: Path) -> list[str]:
    """Statuses of MLflow's runs, read beside MLflow, which would migrate a database that is being made."""
    path = folder / "store" / "mlflow" / "mlflow.db"
    if not path.exists():
        return []
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            return [status for (status,) in database.execute("select status from runs")]
    except sqlite3.OperationalError:
        return []  # its tables are not made yet


def _wait_until(holds: Any, timeout_s: float) -> None:
    end = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < end, "it didn't come to pass"
        time.sleep(0.2)
