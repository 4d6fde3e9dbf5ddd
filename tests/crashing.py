"""A run that dies at its writes, for `tests/lifecycle/test_crash_points.py`: python crashing.py FOLDER chain|each.

Every process is a fork of this one, which has imported everything and started no thread, so a death costs a second.
What is left in FOLDER is for the test to look at. `whole/` is a run that nothing cut off.
"""

from __future__ import annotations

import os
import shutil
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import lightgbm  # noqa: F401 - imported once, before anything forks
import optuna  # noqa: F401
import pyarrow.dataset  # noqa: F401
import torch  # noqa: F401
from mlflow.tracking import MlflowClient

from distml.config import parse_config
from distml.lifecycle import tracked
from distml.lifecycle.run import Resources, resume, run
from distml.lifecycle.runs import list_runs
from distml.storage import Storage
from distml.tracking import Outbox
from distml.tracking.mlflow import MlflowTracker, embedded_uri

CONFIG = """
name: tiny
data: {source: {uri: "sklearn:breast_cancer"}, target: target, task: binary, positive: malignant}
model: {families: [linear, trees]}
search: {num_samples: 3, metric: log_loss}
train: {max_epochs: 5, checkpoint_interval_s: 0}
"""
KILLED = 137
WRITES = {
    Storage: ("write_bytes", "swap_json", "_publish", "delete"),
    MlflowClient: (
        "create_run", "update_run", "log_batch", "set_terminated", "log_artifact", "log_artifacts",
        "log_inputs", "create_registered_model", "create_model_version", "set_registered_model_alias",
    ),
}  # fmt: skip
# One process after another dies right after its first write of these, in the order in which a run comes to them. What
# the tracker is told meanwhile is said by a thread of its own, and not in an order with these.
CHAIN = (
    "write_bytes prepared/", "create_run", "trials/000001.pt", "_publish searched/", "trials/000002.json",
    "delete searched/", "/result.json", "write_bytes trained/", "_publish trained/", "fits/trees/result.json",
    "/package", "write_bytes evaluated/", "swap_json models/tiny/versions", "swap_json models/tiny/champion",
    "log_artifact", "create_model_version",
)  # fmt: skip


def main(folder: Path, mode: str) -> None:
    in_process(lambda: MlflowTracker(embedded_uri(str(folder / "empty")), "tiny", f"{folder}/artifacts"))
    labels = folder / "labels"
    assert in_process(lambda: go_on(new_store(folder, "whole"), noting(labels))) == 0
    if mode == "chain":
        store = new_store(folder, "chain")
        for label in CHAIN:
            code = in_process(lambda label=label: go_on(store, at_first(label)))
            assert code == KILLED, f"{label}: {code}"
        assert in_process(lambda: go_on(store, lambda label: False)) == 0
    else:
        for k in range(1, len(labels.read_text().splitlines()) + 1):
            store = new_store(folder, f"each-{k:03d}")
            in_process(lambda k=k, store=store: go_on(store, at_count(k)))
            code = in_process(lambda store=store: go_on(store, lambda label: False))
            assert code == 0, f"killed at write {k}: {code}"


def new_store(folder: Path, name: str) -> Path:
    """With a database that has MLflow's tables: they take seconds to make."""
    shutil.copytree(folder / "empty", folder / name)
    return folder / name


def in_process(work: Callable[[], object]) -> int:
    """Does something in a fork of this process; its exit code."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        except Exception:  # noqa: BLE001 - whatever it is, the process that waits hears of it
            sys.excepthook(*sys.exc_info())
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def go_on(store: Path, dies: Callable[[str], bool]) -> None:
    """Begins the run, or goes on with it; `dies` says after which write the process ends."""
    lock = threading.Lock()

    def check(label: str) -> None:
        with lock:
            if dies(label):
                os._exit(KILLED)

    for kind, names in WRITES.items():
        for name in names:
            setattr(kind, name, checked(getattr(kind, name), name, check))
    tracked.Outbox = partial(Outbox, interval_s=0.0)  # else all would be written at the end
    storage = Storage(store)
    begun = list_runs(storage)
    if not begun:
        run(parse_config(f"{CONFIG}\nstorage: {store}"), Resources())
    elif begun[0]["state"] != "finished":
        resume(storage, begun[0]["run"], Resources())


def checked(write, name, check):
    def then_checked(self, *args, **kwargs):
        result = write(self, *args, **kwargs)
        key = args[-1] if name == "_publish" else args[0] if args else ""
        check(f"{name} {key}")
        return result

    return then_checked


def at_first(part: str) -> Callable[[str], bool]:
    return lambda label: part in label


def at_count(k: int) -> Callable[[str], bool]:
    count = iter(range(1, 1_000_000))
    return lambda label: next(count) == k


def noting(labels: Path) -> Callable[[str], bool]:
    def note(label: str) -> bool:
        with labels.open("a") as stream:
            stream.write(f"{label}\n")
        return False

    return note


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
