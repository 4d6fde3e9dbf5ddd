"""Storage that is shared or isn't, and tracking that answers or doesn't."""

from __future__ import annotations

import http.server
import os
import socket
import threading

import pytest

from distml.lifecycle.doctor import places
from distml.storage import Storage


def test_storage_is_written_read_and_left_as_it_was(tmp_path):
    assert places.storage(str(tmp_path / "new")).state == "ok"
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "kept").write_text("x")
    assert places.storage(str(tmp_path)).state == "ok"
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


MARKS = {"a": "1", "b": "2", "c": "3"}


def test_storage_that_every_node_reads_is_shared():
    findings = places.shared_findings("/s", MARKS, dict.fromkeys(MARKS, MARKS))
    assert [(check.node, check.state) for check in findings] == [("a", "ok"), ("b", "ok"), ("c", "ok")]


def test_a_path_that_one_node_has_to_itself_is_named_by_all():
    seen = {"a": {"a": "1", "b": "2"}, "b": {"a": "1", "b": "2"}, "c": {"c": "3"}}
    findings = {check.node: check for check in places.shared_findings("/s", MARKS, seen)}
    assert "what c wrote isn't there" in findings["a"].found
    assert "what a, b wrote isn't there" in findings["c"].found
    assert all(check.state == "fail" and "every node mounts" in check.remedy for check in findings.values())


def test_what_another_look_left_behind_does_not_count():
    (found,) = places.shared_findings("/s", {"a": "1"}, {"a": {"a": "old"}})
    assert found.state == "fail"


# Tracking


@pytest.fixture
def database(tmp_path):
    from distml.tracking.mlflow import MlflowTracker, embedded_uri

    MlflowTracker(embedded_uri(str(tmp_path)), "x", artifacts=f"{tmp_path}/artifacts")
    return tmp_path / "mlflow" / "mlflow.db"


def test_a_database_that_is_not_there_yet_is_fine(tmp_path):
    found = places.tracking(None, str(tmp_path))
    assert found.state == "ok" and "made by the first run" in found.found
    assert list(tmp_path.iterdir()) == []


def test_mlflows_database_opens(database):
    assert places.tracking(None, str(database.parents[1])).state == "ok"
    assert places.tracking(f"sqlite:///{database}", None).state == "ok"


@pytest.mark.parametrize("content", [b"", b"no database at all, and long enough to be read as one" * 20])
def test_a_database_that_is_broken_is_to_be_moved_away(tmp_path, content):
    path = tmp_path / "mlflow" / "mlflow.db"
    path.parent.mkdir()
    path.write_bytes(content)
    found = places.tracking(None, str(tmp_path))
    assert found.state == "fail"
    assert found.remedy == f"move {path} away: the next run makes another"


def test_a_database_whose_making_was_broken_off(database):
    import sqlite3

    with sqlite3.connect(database) as connection:
        connection.execute("DELETE FROM alembic_version")
    assert "half made" in places.tracking(None, str(database.parents[1])).found


@pytest.fixture
def server():
    """Answers as told: a status and a body; yields its URL and where to tell."""
    answer = {"status": 200, "type": "application/json", "body": b'{"experiments": []}'}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            answer["path"] = self.path
            answer["authorization"] = self.headers.get("Authorization")
            self.send_response(answer["status"])
            self.send_header("Content-Type", answer["type"])
            self.end_headers()
            self.wfile.write(answer["body"])

        def log_message(self, *_):
            pass

    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{running.server_port}", answer
    running.shutdown()
    running.server_close()


def test_a_server_that_answers_as_mlflow_does(server):
    address, answer = server
    found = places.tracking(f"http://{address}/", None)
    assert (found.state, found.found) == ("ok", f"http://{address}/: answers")
    assert answer["path"] == "/api/2.0/mlflow/experiments/search?max_results=1"


@pytest.mark.parametrize(
    ("status", "kind", "said"),
    [(401, "text/plain", "credentials"), (403, "text/plain", "credentials"), (404, "text/html", "not MLflow's"),
     (200, "text/html", "not MLflow's"), (500, "application/json", "HTTP 500")],
)  # fmt: skip
def test_a_server_that_does_not(server, status, kind, said):
    address, answer = server
    answer.update(status=status, type=kind)
    found = places.tracking(f"http://{address}", None)
    assert found.state == "fail" and said in found.found


def test_the_credentials_of_mlflows_client_are_given(server, monkeypatch):
    address, answer = server
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "ann")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "secret")
    assert places.tracking(f"http://{address}", None).state == "ok"
    assert answer["authorization"].startswith("Basic ")


def test_a_password_in_the_uri_is_used_and_not_shown(server, monkeypatch):
    address, answer = server
    monkeypatch.setenv("SECRET_WORD", "hush")
    found = places.tracking(f"http://ann:${{SECRET_WORD}}@{address}", None)
    assert found.state == "ok" and "hush" not in found.found
    assert answer["authorization"].startswith("Basic ")


@pytest.mark.parametrize("uri", ["http://127.0.0.1:{port}", "postgresql+psycopg://ann@127.0.0.1:{port}/runs"])
def test_nothing_that_listens(uri):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    found = places.tracking(uri.format(port=port), None)
    assert found.state == "fail"
    assert "ann" not in found.found


def test_a_server_that_takes_a_connection_and_says_nothing():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        found = places.tracking(f"http://127.0.0.1:{silent.getsockname()[1]}", None)
    assert found.state == "fail" and "no answer in 3 s" in found.found


def test_a_database_server_that_listens():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        assert places.tracking(f"mysql+pymysql://u@127.0.0.1:{listening.getsockname()[1]}/x", None).state == "ok"


def test_what_cannot_be_looked_at_is_said():
    assert places.tracking("databricks", None).state == "warn"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_database_that_may_not_be_written(database):
    database.chmod(0o400)
    assert "can't be written" in places.tracking(None, str(database.parents[1])).found


def test_marks_of_a_storage_are_read_and_removed(tmp_path):
    home, folder = Storage(tmp_path / "s"), places.new_folder()
    places.write_mark(home, folder, "n1", "x")
    places.write_mark(home, folder, "n2", "y")
    assert places.read_marks(home, folder) == {"n1": "x", "n2": "y"}
    places.remove_marks(home, folder)
    assert places.read_marks(home, folder) == {}
    assert not (tmp_path / "s").exists()
