"""Ports, who holds them, and who may use a cluster."""

from __future__ import annotations

import os
import socket

import pytest

from distml.config.auth import AuthConfig
from distml.lifecycle.doctor import access, ports
from distml.lifecycle.doctor.listeners import Listener, listeners
from distml.serve.tokens.entry import new


def listener(address="0.0.0.0", port=6379, program="/ray/gcs_server", pid=1):
    return Listener(address=address, port=port, pid=pid, command=(program, "--x"))


def test_what_this_process_listens_on_is_found():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        (found,) = [known for known in listeners() if known.port == port]
    assert (found.address, found.pid, found.is_open) == ("127.0.0.1", os.getpid(), False)
    assert f"process {os.getpid()} (" in str(found)


def test_another_users_process_is_said_to_be_one():
    assert str(Listener(address="::", port=1)) == "another user's process"


def test_a_port_that_is_free():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert ports.endpoint("127.0.0.1", port, [], {}, is_named=True).state == "ok"


def test_a_port_that_is_held():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        named = ports.endpoint("127.0.0.1", port, listeners(), {}, is_named=True)
        default = ports.endpoint("127.0.0.1", port, [], {}, is_named=False)
        served = ports.endpoint("127.0.0.1", port, listeners(), {port: "adult"}, is_named=True)
    assert named.state == "fail" and f"held by process {os.getpid()}" in named.found
    assert f"serve.port={port + 1}" in named.remedy
    assert default.state == "warn" and "Address already in use" in default.found
    assert served.state == "ok" and "adult is served" in served.found


def test_ports_of_services_are_read_from_their_records(tmp_path):
    from distml.storage import Storage

    Storage(tmp_path).write_json("live/adult.json", {"url": "http://127.0.0.1:8003/adult", "host": "elsewhere"})
    assert ports.served_ports(str(tmp_path)) == {8003: "adult"}
    assert ports.served_ports(None) == {}


@pytest.mark.parametrize(
    ("known", "told"),
    [
        ([], [("ok", "6379, 8265, 52365 are free")]),
        ([listener(port=8265, program="/ray/dashboard.py")], [("ok", "8265 is Ray's already, process 1")]),
        ([listener(port=8265, program="/bin/nginx")], [("warn", "8265 is held by process 1 (/bin/nginx --x)")]),
        ([listener(port=8266, program="/bin/nginx")], [("ok", "6379, 8265, 52365 are free")]),
        (
            [listener(), listener(port=52365, program="/bin/x")],
            [("ok", "6379 is Ray's already"), ("warn", "52365 is held by process 1 (/bin/x --x)")],
        ),
    ],
)
def test_the_ports_of_a_head(known, told):
    found = ports.head_ports(known)
    assert [check.state for check in found] == [state for state, _ in told]
    for check, (_, said) in zip(found, told, strict=True):
        assert check.found.startswith(said)


# Who may use a cluster


@pytest.mark.parametrize(
    ("known", "by_token", "state", "said"),
    [
        ([listener()], True, "ok", "by token; other machines reach gcs_server on port 6379"),
        ([listener("127.0.0.1")], True, "ok", "by token; only this machine reaches it"),
        ([listener()], False, "fail", "none: who reaches gcs_server on port 6379 runs code here"),
        ([listener("127.0.0.1"), listener("::1")], False, "warn", "none: every user of this machine"),
        ([], False, "warn", "none: every user of this machine"),
        ([listener(port=port) for port in range(6)], False, "fail", "on port 3 and 2 more runs code"),
    ],
)
def test_authentication(known, by_token, state, said):
    found = access.authentication(known, by_token=by_token)
    assert found.state == state
    assert said in found.found


def test_only_a_head_that_others_reach_without_a_token_is_warned_of():
    modes = {1: {"RAY_AUTH_MODE": "token"}, 2: {"RAY_AUTH_MODE": "disabled"}, 3: {}, 4: {}, 5: None, 6: {}}
    known = [listener(pid=pid, port=6000 + pid) for pid in (1, 2, 3, 5)]
    known += [listener("127.0.0.1", pid=4), listener(program="/ray/raylet", pid=6)]
    findings = access.other_clusters(known, modes.get)
    assert [check.state for check in findings] == ["warn", "warn"]
    for pid, check in zip((2, 3), findings, strict=True):
        assert f"port {6000 + pid}, process {pid}, has none" in check.found


def test_no_other_cluster_is_ok():
    (found,) = access.other_clusters([])
    assert found.state == "ok"


def test_no_dashboard_is_a_warning():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        silent = f"127.0.0.1:{probe.getsockname()[1]}"
    assert access.dashboard(None).state == access.dashboard(silent).state == "warn"


@pytest.mark.parametrize(("mode", "state"), [(0o600, "ok"), (0o400, "ok"), (0o640, "fail"), (0o604, "fail")])
def test_a_token_file_that_others_read(open_folder, monkeypatch, mode, state):
    path = open_folder / "token"
    path.write_text("x")
    path.chmod(mode)
    monkeypatch.delenv("RAY_AUTH_TOKEN", raising=False)
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(path))
    found = access.token(is_needed=True)
    assert found.state == state
    assert found.remedy == (f"chmod 600 {path}" if state == "fail" else None)


def test_a_file_in_a_private_folder_is_private(open_folder):
    path = open_folder / "private" / "token"
    path.parent.mkdir(mode=0o700)
    path.write_text("x")
    path.chmod(0o644)
    assert not access.is_exposed(path)
    path.parent.chmod(0o755)
    assert access.is_exposed(path)


@pytest.fixture
def open_folder(tmp_path_factory):
    """A folder that every user can enter, as pytest's own is not."""
    import shutil
    import tempfile
    from pathlib import Path

    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_a_token_in_the_environment_lies_in_no_file(monkeypatch):
    monkeypatch.setenv("RAY_AUTH_TOKEN", "x")
    assert access.token(is_needed=True).state == "ok"


def test_tokens_are_looked_for_where_a_config_asks_for_them(monkeypatch):
    monkeypatch.delenv("DISTML_TOKENS", raising=False)
    assert access.tokens(None) == []
    (missing,) = access.tokens(AuthConfig())
    monkeypatch.setenv("DISTML_TOKENS", new("ci", ["predict"])[1].line())
    (there,) = access.tokens(AuthConfig())
    assert (missing.state, there.state, there.found) == ("fail", "ok", "1 token in DISTML_TOKENS")
    assert "DISTML_TOKENS is not set" in missing.found
    assert "distml token new" in missing.remedy
