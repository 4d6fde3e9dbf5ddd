"""The whole loop through its real parts: command line, Ray Data, Ray Tune, MLflow, Ray Serve, the monitor."""

from __future__ import annotations

import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import orjson
import pandas as pd
import pyarrow.csv
import pytest

from commands import distml, document, processes_of, serving

CONFIG = """
name: digits
storage: store
data: {source: {uri: "sklearn:digits"}, target: target, task: multiclass}
model: {families: [linear, trees]}
search: {num_samples: 3, metric: log_loss}
train: {max_epochs: 6}
serve: {port: PORT, autoscaling: {min_replicas: 2, max_replicas: 2}}
monitor: {window_rows: 500, flush_interval_s: 0.2}
gates: {significance: null, accuracy: {threshold: 0.8}}
"""

pytestmark = pytest.mark.ray


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a config whose run is done, and a second, refused version beside the champion."""
    folder = tmp_path_factory.mktemp("loop")
    (folder / "config.yaml").write_text(CONFIG.replace("PORT", str(_free_port())))
    return folder


@pytest.fixture(scope="module")
def result(home: Path) -> dict[str, Any]:
    return document(distml("run", "config.yaml", "--json", cwd=home))


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_a_run_ends_with_the_documented_result(result: dict[str, Any], home: Path) -> None:
    assert result["name"] == "digits"
    assert result["version"] == 1
    assert result["verdict"]["promoted"] is True
    assert result["trials"] == {"finished": 3, "pruned": 0, "failed": 0, "stopped": 0}
    assert set(result["baselines"]) == {"dummy", "linear", "trees"}
    assert result["metrics"]["test"]["accuracy"] > 0.85 > result["baselines"]["dummy"]["accuracy"]
    assert set(result["seconds"]) == {"prepare", "tune", "train", "evaluate", "gate"}
    assert Path(result["report"]).read_text().startswith("<!doctype html>")
    assert result["endpoint"] is None
    assert not processes_of(home)


def test_a_second_run_reuses_every_stage_and_registers_nothing_new(result: dict[str, Any], home: Path) -> None:
    again = document(distml("run", "config.yaml", "--json", "--engine", "local", cwd=home))
    assert (again["version"], again["best"], again["metrics"]) == (1, result["best"], result["metrics"])
    assert "already" in again["verdict"]["reasons"][0]


def test_the_search_is_the_same_in_one_process(result: dict[str, Any], home: Path, tmp_path: Path) -> None:
    local = document(
        distml("tune", home / "config.yaml", "--json", "--engine", "local", "-s", f"storage={tmp_path}", cwd=home)
    )
    assert local["best"] == result["best"]


def test_mlflow_has_the_run_its_trials_and_the_champion(result: dict[str, Any], home: Path) -> None:
    from mlflow.tracking import MlflowClient

    uri = f"sqlite:///{home}/store/mlflow/mlflow.db"
    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    parent = client.get_run(result["tracking_run"])
    assert parent.info.status == "FINISHED"
    assert parent.data.metrics["test_accuracy"] == result["metrics"]["test"]["accuracy"]
    assert parent.data.params["data.target"] == "target"
    experiment = client.get_experiment_by_name("digits").experiment_id
    trials = client.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{result['tracking_run']}'")
    assert sorted(trial.data.tags["distml.trial"] for trial in trials) == ["1", "2", "3"]
    assert {trial.info.status for trial in trials} == {"FINISHED"}
    assert {trial.data.tags["distml.state"] for trial in trials} == {"finished"}
    for trial in trials:
        assert len(client.get_metric_history(trial.info.run_id, "validation_log_loss")) == 6
    artifacts = {item.path for item in client.list_artifacts(result["tracking_run"])}
    assert artifacts == {"model", "report.html"}
    champion = client.get_model_version_by_alias("digits", "champion")
    assert champion.tags["distml.version"] == "1"


def test_mlflow_loads_the_champion_and_predicts_with_it(result: dict[str, Any], home: Path, tmp_path: Path) -> None:
    from mlflow import pyfunc
    from mlflow.tracking import MlflowClient

    import distml as package

    uri = f"sqlite:///{home}/store/mlflow/mlflow.db"
    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    champion = client.get_model_version_by_alias("digits", "champion")
    assert champion.source == f"runs:/{result['tracking_run']}/model"
    model = pyfunc.load_model(client.download_artifacts(champion.run_id, "model", str(tmp_path)))
    rows = orjson.loads((Path(result["package"]) / "golden.json").read_bytes())["rows"]
    frame = pd.DataFrame(rows)
    wanted = package.load("digits", storage=str(home / "store")).predict(frame)
    assert model.predict(frame)["prediction"].tolist() == wanted.values.tolist()


def test_a_thousand_rows_are_predicted_alike_on_every_path(result: dict[str, Any], home: Path) -> None:
    """Batch scoring in this process and over Ray Data, the predictor, and HTTP: equal to 1e-6."""
    import distml as package
    from distml.config import SourceConfig
    from distml.reading.source import read_head

    table = read_head(SourceConfig(uri="sklearn:digits"), 1000)
    pyarrow.csv.write_csv(table, home / "rows.csv")
    predictor = package.load("digits", storage=str(home / "store"))
    wanted = predictor.predict(table).probabilities
    assert wanted is not None
    for engine in ("local", "ray"):
        scored = document(
            distml("predict", "digits", "--in", "rows.csv", "--out", f"{engine}.csv", "--engine", engine,
                   "--storage", "store", "--json", cwd=home)
        )  # fmt: skip
        assert (scored["num_rows"], scored["num_quarantined"]) == (1000, 0)
        out = pyarrow.csv.read_csv(home / f"{engine}.csv").to_pandas()
        got = out[[f"probability_{label}" for label in range(10)]].to_numpy()
        np.testing.assert_allclose(got, wanted, atol=1e-6, rtol=0)
    rows = table.drop_columns(["target"]).to_pylist()
    with serving("deploy", "digits", "--storage", "store", cwd=home) as (_, url):
        answer = httpx.post(f"{url}/predict", json={"rows": rows}, timeout=60).json()
    got = np.array([[shares[str(label)] for label in range(10)] for shares in answer["probabilities"]])
    np.testing.assert_allclose(got, wanted, atol=1e-6, rtol=0)
    assert answer["predictions"] == predictor.predict(table).values.tolist()


def test_a_swap_under_traffic_loses_no_request_and_a_bad_version_is_refused(result: dict[str, Any], home: Path) -> None:
    second = distml("run", "config.yaml", "--json", "--engine", "local", "-s", "train.max_epochs=4", cwd=home)
    assert second.returncode in (0, 3), second.stderr
    assert orjson.loads(second.stdout)["version"] == 2
    golden = orjson.loads((Path(result["package"]) / "golden.json").read_bytes())
    with serving("deploy", "digits/1", "--storage", "store", cwd=home) as (process, url):
        traffic = _Traffic(f"{url}/predict", {"rows": golden["rows"][:1]})
        with traffic:
            swapped = document(distml("deploy", "digits/2", "--storage", "store", "--json", cwd=home))
            assert swapped == {"name": "digits", "version": 2, "endpoint": url}
            assert httpx.get(f"{url}/readyz").json()["model"] == {"name": "digits", "version": 2}
            traffic.wait_for((200, 2), 50)
        assert {status for status, _ in traffic.answers} == {200}, traffic.answers
        assert {version for _, version in traffic.answers} == {1, 2}

        _register_damaged_copy(home, number=3)
        refused = distml("deploy", "digits/3", "--storage", "store", cwd=home)
        assert refused.returncode == 1
        assert "as they were written" in refused.stderr
        assert httpx.get(f"{url}/readyz").json()["model"]["version"] == 2

        report = _monitor_until(home, lambda found: sum(v["rows"] for v in found["versions"].values()), traffic.total)
        assert {version: total["errors"] for version, total in report["versions"].items()} == {"1": {}, "2": {}}
        columns = {column["column"] for window in report["filling"] for column in window["inputs"]["columns"]}
        assert "pixel_0_1" in columns
        process.terminate()
        assert process.wait(60) == 0  # being ended is how a service is meant to end
    assert not processes_of(home)
    assert not list((home / "store" / "live").glob("*.json"))


class _Traffic:
    """Posts one body from four threads until it is left; counts (status, version)."""

    def __init__(self, url: str, body: Any) -> None:
        self.url, self.body = url, body
        self.answers: Counter[tuple[int, int | None]] = Counter()
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._post) for _ in range(4)]

    @property
    def total(self) -> int:
        return sum(self.answers.values())

    def _post(self) -> None:
        with httpx.Client(timeout=30) as client:
            while not self._stop.is_set():
                answer = client.post(self.url, json=self.body)
                version = answer.json()["model"]["version"] if answer.status_code == 200 else None
                with self._lock:
                    self.answers[answer.status_code, version] += 1

    def wait_for(self, key: tuple[int, int], count: int) -> None:
        while self.answers[key] < count:
            assert any(thread.is_alive() for thread in self._threads), "every client failed"
            time.sleep(0.05)

    def __enter__(self) -> None:
        for thread in self._threads:
            thread.start()

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()


def _register_damaged_copy(home: Path, number: int) -> None:
    """A version whose weights were changed after they were packed."""
    import shutil

    from distml.registry import StoreRegistry
    from distml.storage import Storage

    storage = Storage(home / "store")
    registry = StoreRegistry(storage)
    good = registry.versions("digits")[0]
    shutil.copytree(home / "store" / good.package, home / "store" / "damaged")
    weights = next((home / "store" / "damaged" / "members" / "0").glob("[wm]*[st]"))
    weights.write_bytes(weights.read_bytes()[:-1] + b"\0")
    made = registry.register("digits", package="damaged", package_id="damaged", run=good.run, metrics={})
    assert made.number == number


def _monitor_until(home: Path, count: Any, wanted: int) -> dict[str, Any]:
    """The monitor's report once it has heard of every request; replicas tell it every 0.2 s."""
    for _ in range(20):
        report = document(distml("monitor", "digits", "--storage", "store", "--json", cwd=home))
        if count(report) >= wanted:
            break
    assert count(report) == wanted
    return report
