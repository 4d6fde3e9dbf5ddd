"""A cluster that can't be joined is refused in seconds, with what to do."""

from __future__ import annotations

import socket

import pytest

from distml.cluster.on_ray import named_cluster
from distml.cluster.reach import answers, host_and_port, reaching
from distml.errors import ConfigError


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_something_that_listens_answers():
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert answers("127.0.0.1", server.getsockname()[1]) is None


def test_nothing_that_listens_says_why(closed_port):
    assert answers("127.0.0.1", closed_port) == "Connection refused"


def test_no_such_host_says_why():
    assert answers("nowhere.invalid", 80)


@pytest.mark.parametrize(
    ("address", "found"),
    [("a:1", ("a", 1)), ("a", ("a", 9)), ("::1:5", ("::1", 5)), ("[::1]", ("::1", 9)), ("[::1]:5", ("::1", 5))],
)
def test_host_and_port(address, found):
    assert host_and_port(address, 9) == found


def test_a_cluster_that_is_not_there_is_refused(closed_port, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{closed_port}")
    with pytest.raises(ConfigError) as refusal, named_cluster():
        pass
    assert refusal.value.where == f"RAY_ADDRESS 127.0.0.1:{closed_port}"
    assert refusal.value.received == "Connection refused"


@pytest.mark.parametrize("address", ["", "http://127.0.0.1:8265"])
def test_no_cluster_is_named(address, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", address)
    with named_cluster() as found:
        assert found is None


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (ConnectionError("Failed to connect to Ray cluster"), "RAY_AUTH_TOKEN_PATH"),
        (RuntimeError("Version mismatch: The cluster was started with:\n    Ray: 2.54.0"), "same constraints"),
    ],
)
def test_what_ray_says_becomes_a_rule_and_a_remedy(error, remedy):
    with pytest.raises(ConfigError) as refusal, reaching("auto"):
        raise error
    assert remedy in str(refusal.value)
    assert "\n" not in str(refusal.value)
