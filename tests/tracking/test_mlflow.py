import socket
from collections import defaultdict

import pytest

from contracts.tracker import TrackerContract
from distml.errors import StorageError
from distml.secrets import without_password
from distml.tracking import Point
from distml.tracking.base import LoggedRun
from distml.tracking.mlflow import MlflowTracker, embedded_uri


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return tmp_path_factory.mktemp("mlflow")


@pytest.fixture
def tracker(store):
    return MlflowTracker(embedded_uri(str(store)), "churn", artifacts=str(store / "artifacts"))


class TestMlflowTracker(TrackerContract):
    def read(self, tracker, run):
        client = tracker.client
        found = client.get_run(run)
        artifacts = defaultdict(list)
        for path in files(client, run, ""):
            head, _, rest = path.partition("/")
            artifacts[head if rest else ""].append(rest or head)
        return LoggedRun(
            name=found.info.run_name,
            parent=found.data.tags.get("mlflow.parentRunId"),
            tags={key: value for key, value in found.data.tags.items() if not key.startswith("mlflow.")},
            status=found.info.status,
            params=found.data.params,
            points=[
                Point(metric.key, metric.value, metric.step, metric.timestamp)
                for key in found.data.metrics
                for metric in client.get_metric_history(run, key)
            ],
            artifacts=dict(artifacts),
        )


def files(client, run, path):
    for entry in client.list_artifacts(run, path):
        yield from files(client, run, entry.path) if entry.is_dir else [entry.path]


def test_an_experiment_is_made_once(store, tracker):
    uri = embedded_uri(str(store))
    again = MlflowTracker(uri, "churn")
    other = MlflowTracker(uri, "bikes")
    ids = [t.client.get_run(t.start_run("r")).info.experiment_id for t in (tracker, again, other)]
    assert ids[0] == ids[1] != ids[2]


def test_artifacts_lie_where_the_experiment_says(store, tracker, tmp_path):
    (tmp_path / "report.html").write_text("hello", "utf-8")
    run = tracker.start_run("r")
    tracker.log_artifacts(run, tmp_path, "")
    assert (store / "artifacts" / run / "artifacts" / "report.html").read_text("utf-8") == "hello"


def test_long_parameters_are_cut(tracker):
    run = tracker.start_run("r")
    tracker.log_params(run, {"config": "x" * 10_000})
    assert tracker.client.get_run(run).data.params["config"] == "x" * 6000


def test_what_mlflow_refuses_is_a_storage_error(tracker):
    with pytest.raises(StorageError, match=r"the tracking server answers; received .*no-such-run"):
        tracker.log_params("no-such-run", {"lr": 1})


@pytest.fixture
def closed_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def test_a_server_that_is_not_there_is_a_storage_error(closed_port, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(StorageError, match="the tracking server answers") as caught:
        MlflowTracker(f"http://user:secret@127.0.0.1:{closed_port}", "churn")
    assert caught.value.where == f"tracking.uri http://127.0.0.1:{closed_port}"
    assert "tracking.uri: null" in caught.value.remedy
    assert "secret" not in str(caught.value)


def test_a_database_that_cannot_be_made_is_a_storage_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StorageError):
        MlflowTracker(f"sqlite:///{tmp_path}/file/mlflow.db", "churn")


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("https://me:secret@tracking.example/x", "https://tracking.example/x"),
        ("postgresql://me:se@cret@db/mlflow", "postgresql://db/mlflow"),
        ("http://tracking.example/a@b", "http://tracking.example/a@b"),
        ("sqlite:////data/mlflow.db", "sqlite:////data/mlflow.db"),
    ],
)
def test_passwords_are_not_shown(uri, shown):
    assert without_password(uri) == shown
