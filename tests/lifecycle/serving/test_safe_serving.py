"""A service that other machines reach, through the real commands: who is let in, what listens, what is written down."""

from __future__ import annotations

import contextlib
import http.client
import json
import ssl
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
import trustme

from commands import TINY, command, distml, document, environment
from distml.lifecycle.doctor.listeners import listeners
from distml.serve import haproxy
from distml.serve.tokens.entry import hashed
from endpoints import free_port

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not haproxy.is_available(), reason="HAProxy's wheel is for Linux alone"),
]


@dataclass
class Safe:
    folder: Path
    port: int
    trust: ssl.SSLContext
    tokens: dict[str, str]
    process: subprocess.Popen[str]

    def ask(self, path: str, token: str | None = None, body: Any = None) -> tuple[int, Any, Any]:
        """(status, headers, document) of an answer over TLS."""
        connection = http.client.HTTPSConnection("localhost", self.port, timeout=30, context=self.trust)
        headers = {} if token is None else {"Authorization": f"Bearer {self.tokens.get(token, token)}"}
        with contextlib.closing(connection):
            sent = None if body is None else json.dumps(body)
            connection.request("GET" if sent is None else "POST", path, sent, headers)
            answer = connection.getresponse()
            return answer.status, answer.headers, json.loads(answer.read())

    def row(self) -> dict[str, Any]:
        return dict.fromkeys(self.ask("/tiny/schema", "reader")[2]["properties"], 1.0)


@pytest.fixture(scope="module")
def safe(tmp_path_factory) -> Iterator[Safe]:
    folder = tmp_path_factory.mktemp("safe")
    authority, port = trustme.CA(), free_port()
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(folder / "endpoint.pem")
    (folder / "endpoint.pem").chmod(0o600)
    context = ssl.create_default_context()
    authority.configure_trust(context)
    made = {
        name: document(distml("token", "new", name, "--scopes", scopes, "--json", cwd=folder))
        for name, scopes in (("reader", "predict"), ("labels", "feedback"), ("chief", "admin"))
    }
    (folder / "tiny.yaml").write_text(
        f"{TINY}\nserve: {{host: 0.0.0.0, port: {port}, auth: {{}}, tls: {{certificate: endpoint.pem}}}}"
    )
    variable = ",".join(one["entry"] for one in made.values())
    with (folder / "errors").open("w") as errors:
        process = subprocess.Popen(
            command("run", "tiny.yaml", "--deploy"), cwd=folder, env={**environment(), "DISTML_TOKENS": variable},
            stdout=subprocess.DEVNULL, stderr=errors, text=True,
        )  # fmt: skip
    try:
        while "Ctrl-C ends it" not in (told := (folder / "errors").read_text()):
            assert process.poll() is None, told
            time.sleep(0.2)
        assert f"https://127.0.0.1:{port}/tiny" in told
        yield Safe(folder, port, context, {name: one["token"] for name, one in made.items()}, process)
    finally:
        process.terminate()
        process.wait(60)


def test_the_endpoint_alone_is_reached_by_others(safe):
    own = {safe.process.pid, *(child.pid for child in _children(safe))}
    found = [one for one in listeners() if one.pid in own]
    assert [(one.address, one.port, one.program) for one in found if one.is_open] == [("0.0.0.0", safe.port, "haproxy")]
    assert {"gcs_server", "raylet"} < {one.program for one in found}


def _children(safe: Safe) -> list[psutil.Process]:
    return psutil.Process(safe.process.pid).children(recursive=True)


def test_no_answer_goes_in_the_clear(safe):
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", safe.port, timeout=30)) as plain:
        plain.request("GET", "/tiny/schema")
        with pytest.raises((http.client.HTTPException, OSError)):
            plain.getresponse()


@pytest.mark.parametrize("path", ["schema", "openapi.json", "docs", "metrics", "predict"])
def test_nobody_learns_anything_without_a_token(safe, path):
    for token in (None, "dml_guessed"):
        status, headers, told = safe.ask(f"/tiny/{path}", token, {"rows": [{"x": 1}]} if path == "predict" else None)
        assert (status, told["type"]) == (401, "urn:distml:problem:unauthorized")
        assert headers["WWW-Authenticate"] == 'Bearer realm="distml"'
        assert set(told) <= {"type", "title", "status", "detail", "error", "request_id"}
    assert safe.ask("/-/routes")[0] == 404


def test_a_token_may_what_its_scopes_say(safe):
    row = safe.row()
    assert safe.ask("/tiny/predict", "reader", row)[0] == 200
    assert safe.ask("/tiny/predict", "chief", row)[0] == 200
    status, headers, told = safe.ask("/tiny/predict", "labels", row)
    assert (status, told["type"]) == (403, "urn:distml:problem:forbidden")
    assert 'scope="predict"' in headers["WWW-Authenticate"]
    assert safe.ask("/tiny/feedback", "reader", {})[0] == 403


def test_no_token_is_written_anywhere(safe):
    """Nor its hash: in no record, log or file of Ray's, whatever was asked."""
    safe.ask("/tiny/predict", "reader", {"rows": "wrong"})
    (state,) = {Path(known).parent for child in _children(safe) if (known := _environment(child))}
    secrets = [*safe.tokens.values(), *(hashed(token).hex() for token in safe.tokens.values())]
    texts = {path: path.read_bytes() for root in (safe.folder, state) for path in root.rglob("*") if path.is_file()}
    assert any("session_" in str(path) for path in texts)
    assert not [path for path, text in texts.items() if any(secret.encode() in text for secret in secrets)]
    status = distml("status", "tiny", "--json", cwd=safe.folder)
    assert status.returncode == 0, status.stderr
    assert not [secret for secret in secrets if secret in status.stdout + status.stderr]


def _environment(process: psutil.Process) -> str | None:
    with contextlib.suppress(psutil.Error):
        return process.environ().get("RAY_AUTH_TOKEN_PATH")
    return None


def test_a_revoked_token_is_refused_without_a_restart(safe):
    row = safe.row()
    assert safe.ask("/tiny/predict", "chief", row)[0] == 200
    assert distml("token", "revoke", "chief", cwd=safe.folder).returncode == 0
    end = time.monotonic() + 60
    while safe.ask("/tiny/predict", "chief", row)[0] == 200 and time.monotonic() < end:
        time.sleep(0.2)
    assert safe.ask("/tiny/predict", "chief", row)[0] == 401
    assert safe.ask("/tiny/predict", "reader", row)[0] == 200


def test_without_tokens_in_the_environment_nothing_is_opened(safe):
    clean = {key: value for key, value in environment().items() if key != "DISTML_TOKENS"}
    other = safe.folder / "other.yaml"
    port = free_port()
    other.write_text(
        (safe.folder / "tiny.yaml").read_text().replace(str(safe.port), str(port)).replace("tiny", "other")
    )
    done = subprocess.run(
        command("run", "other.yaml", "--deploy"), cwd=safe.folder, env=clean, capture_output=True, text=True,
        timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert "DISTML_TOKENS is not set" in done.stderr
    assert "distml token new" in done.stderr
