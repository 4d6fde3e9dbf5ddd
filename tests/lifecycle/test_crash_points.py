"""A process dies right after a write, for writes of every kind: what comes of the run is as if it had not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from commands import environment
from distml.lifecycle.runs import list_runs
from distml.registry import StoreRegistry
from distml.storage import Storage
from distml.tracking.mlflow import MlflowTracker, embedded_uri

SCRIPT = Path(__file__).parents[1] / "crashing.py"
# Names and times of one run; the audit log's files, of which one may be missing while the log itself is whole.
OF_ONE_RUN = ("run", "seconds", "report", "package", "tracking_run")


def crash(folder, mode):
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(folder), mode],
        env={**environment(), "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def left(store):
    """Everything that a run left and that another run of its config leaves too."""
    storage = Storage(store)
    (record,) = list_runs(storage)
    registry = StoreRegistry(storage)
    hidden = {Path(path) for path in storage.leftovers()}
    files = [path.relative_to(store) for folder in store.iterdir() for path in folder.rglob("*") if path.is_file()]
    return {
        "state": record["state"],
        "stages": record["stages"],
        "result": {key: value for key, value in record["result"].items() if key not in OF_ONE_RUN},
        "audit": [(entry.action, entry.version, entry.reasons) for entry in registry.audit("tiny")],
        "versions": [version.package_id for version in registry.versions("tiny")],
        "files": sorted(
            str(path)
            for path in files
            if path.parts[0] not in ("mlflow", "runs") and "audit" not in path.parts
            and not hidden.intersection((path, *path.parents))
        ),
        "tracked": tracked(store),
    }  # fmt: skip


def tracked(store):
    """MLflow's runs: trial, how it ended, parameters, and every point of its metrics but the times."""
    tracker = MlflowTracker(embedded_uri(str(store)), "tiny")
    found = tracker.client.search_runs([tracker._experiment])
    runs = []
    for known in found:
        points = {
            name: [(point.step, point.value) for point in tracker.client.get_metric_history(known.info.run_id, name)]
            for name in sorted(known.data.metrics)
        }
        tags = {key: known.data.tags.get(key) for key in ("distml.trial", "distml.state", "distml.promoted")}
        params = {key: value for key, value in known.data.params.items() if key != "storage"}
        runs.append((tags, known.info.status, params, points))
    models = [(model.version, model.aliases) for model in tracker.client.search_model_versions("name = 'tiny'")]
    return sorted(runs, key=str), models


@pytest.mark.timeout(900)
def test_a_run_whose_every_process_dies_comes_to_what_it_would_have(tmp_path):
    crash(tmp_path, "chain")
    assert left(tmp_path / "chain") == left(tmp_path / "whole")


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_run_that_dies_at_any_write_comes_to_what_it_would_have(tmp_path):
    crash(tmp_path, "each")
    whole = left(tmp_path / "whole")
    stores = sorted(tmp_path.glob("each-*"))
    assert len(stores) > 50
    for store in stores:
        if list_runs(Storage(store)):  # the first writes come before there is a run
            assert left(store) == whole, store.name
