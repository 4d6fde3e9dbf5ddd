import os
import socket

import pytest

from distml.errors import StorageError
from distml.registry import Version
from distml.registry.mlflow import MlflowMirror, move_alias
from distml.tracking.mlflow import MlflowTracker, embedded_uri


@pytest.fixture(scope="module")
def tracker(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mlflow")
    return MlflowTracker(embedded_uri(str(folder)), "churn", artifacts=str(folder / "artifacts"))


@pytest.fixture
def client(tracker):
    return tracker.client


@pytest.fixture
def name(request):
    """A model name of the test's own, as all share one database."""
    return request.node.name.replace("_", "-")


def mirrored(tracker, name, num_versions):
    """A mirror, and versions that are registered in it."""
    mirror, run = MlflowMirror(tracker.client), tracker.start_run(name)
    versions = [
        Version(name=name, number=i, package=f"trained/{i}", package_id=f"id{i}", run=f"r{i}")
        for i in range(1, num_versions + 1)
    ]
    for version in versions:
        mirror.register(version, f"runs:/{run}/model", run)
    return mirror, versions, run


def aliases(client, name):
    return {alias: int(number) for alias, number in client.get_registered_model(name).aliases.items()}


def test_versions_are_mirrored_with_tags_and_run(tracker, client, name):
    _, _, run = mirrored(tracker, name, 2)
    found = sorted(client.search_model_versions(f"name = '{name}'"), key=lambda version: int(version.version))
    assert [(v.tags["distml.version"], v.tags["distml.package_id"], v.run_id) for v in found] == [
        ("1", "id1", run),
        ("2", "id2", run),
    ]


def test_a_version_is_mirrored_once(tracker, client, name):
    mirror, (version,), run = mirrored(tracker, name, 1)
    mirror.register(version, f"runs:/{run}/model", run)
    assert len(client.search_model_versions(f"name = '{name}'")) == 1


def test_aliases_move(tracker, client, name):
    mirror, (first, second, third), _ = mirrored(tracker, name, 3)
    mirror.alias(first, "champion")
    assert aliases(client, name) == {"champion": 1}
    mirror.alias(second, "challenger")
    assert aliases(client, name) == {"champion": 1, "challenger": 2}
    mirror.alias(third, "challenger")
    assert aliases(client, name) == {"champion": 1, "challenger": 3}


def test_a_challenger_that_becomes_champion_is_challenger_no_more(tracker, client, name):
    mirror, (first, second), _ = mirrored(tracker, name, 2)
    mirror.alias(first, "champion")
    mirror.alias(second, "challenger")
    mirror.alias(second, "champion")
    assert aliases(client, name) == {"champion": 2}


def test_a_command_moves_an_alias_by_the_uri_alone(tracker, client, name):
    mirror, (first, second), _ = mirrored(tracker, name, 2)
    mirror.alias(second, "champion")
    before = dict(os.environ)
    move_alias(tracker.uri, first, "champion")
    assert dict(os.environ) == before
    assert aliases(client, name) == {"champion": 1}


def test_a_version_that_is_not_mirrored_gets_no_alias(tracker, client, name):
    mirror, (version,), _ = mirrored(tracker, name, 1)
    mirror.alias(Version(name=name, number=9, package="p", package_id="i", run="r"), "champion")
    assert aliases(client, name) == {}
    mirror.alias(version, "champion")
    assert aliases(client, name) == {"champion": 1}


def test_a_server_that_is_not_there_is_a_storage_error(monkeypatch):
    from mlflow.tracking import MlflowClient

    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        uri = f"http://127.0.0.1:{listener.getsockname()[1]}"
    mirror = MlflowMirror(MlflowClient(tracking_uri=uri, registry_uri=uri))
    version = Version(name="churn", number=1, package="p", package_id="i", run="r")
    for call in (lambda: mirror.register(version, "runs:/r/package", "r"), lambda: mirror.alias(version, "champion")):
        with pytest.raises(StorageError, match="the tracking server answers"):
            call()
