"""HAProxy as distml starts it, before replicas that are a few lines each: Ray's own configuration, no cluster."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from distml.config import RunConfig
from distml.config.load import parse_config
from distml.serve import haproxy

_RENDER = """
import sys
from ray.serve._private.haproxy import BackendConfig, HAProxyApi, HAProxyConfig, HTTPOptions, ServerConfig
port, *replicas = map(int, sys.argv[2:])
servers = [ServerConfig(f"replica-{one}", "127.0.0.1", one) for one in replicas]
backend = BackendConfig(name="http-churn", path_prefix=sys.argv[1], app_name="churn", servers=servers)
options = HTTPOptions(host="127.0.0.1", port=port)
config = HAProxyConfig(http_options=options, is_head=True, has_received_routes=True)
api = HAProxyApi(config, {"http-churn": backend} if servers else {})
api._generate_config_file_internal()
"""


@dataclass
class Replica:
    """Answers what `behave` says, and keeps what it was asked: (path, headers, bytes of the body)."""

    behave: Callable[[BaseHTTPRequestHandler], None]
    asked: list[tuple[str, dict[str, str], int]] = field(default_factory=list)
    port: int = 0


def answering(handler: BaseHTTPRequestHandler) -> None:
    body = json.dumps({"name": "churn"}).encode()
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def hanging_up(handler: BaseHTTPRequestHandler) -> None:
    """As a replica that is killed while it predicts."""
    handler.connection.shutdown(socket.SHUT_RDWR)
    handler.close_connection = True


def config_of(serve: dict[str, Any] | None = None) -> RunConfig:
    given = {"name": "churn", "data": {"source": {"uri": "a.csv"}, "target": "y"}, "serve": serve or {}}
    return parse_config(json.dumps(given))


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: Any) -> None:
        """HAProxy hangs up on a health check as soon as it has the status."""


@contextlib.contextmanager
def served(replica: Replica) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            if self.path == "/-/healthz":
                answering(self)
                return
            replica.asked.append((self.path, {name.lower(): text for name, text in self.headers.items()}, len(body)))
            replica.behave(self)

        do_GET = do_POST = handle_any  # noqa: N815 - http.server's names

        def log_message(self, *_: Any) -> None:
            pass

    with _Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        replica.port = server.server_address[1]
        yield replica.port
        server.shutdown()


@contextlib.contextmanager
def endpoint(state: Path, config: RunConfig, replicas: Sequence[Replica], *, times: int = 1) -> Iterator[int]:
    """The port of an endpoint whose HAProxy runs for the block; without replicas Serve has told it of nothing yet.

    state: an empty private folder, by a short path; times: how often HAProxy is started, one while the other runs,
    and before Serve has told it of anything.
    """
    settings = haproxy.settings(state, fallback_port=1)
    (state / "token").touch(mode=0o600)
    environment = {**os.environ, **settings, "RAY_AUTH_TOKEN_PATH": str(state / "token")}
    before = dict(os.environ)
    os.environ.update(environment)
    try:
        haproxy.open_front(config)
    finally:
        os.environ.clear()
        os.environ.update(before)
    with contextlib.ExitStack() as stack:
        ports = [stack.enter_context(served(replica)) for replica in replicas]
        port = free_port()
        command = [sys.executable, "-c", _RENDER, config.route, str(port)]
        known = list(map(str, ports))
        path = settings["RAY_SERVE_HAPROXY_CONFIG_FILE_LOC"]
        launcher = settings["RAY_SERVE_HAPROXY_BINARY_PATH"]
        last = None
        for _ in range(times):
            subprocess.run([*command, *known], env=environment, check=True, timeout=120)
            process = subprocess.Popen([launcher, "-db", "-f", path], env=environment)
            stack.callback(process.wait)
            stack.callback(process.kill)
            _wait_for(port, process)
            if last is not None:
                last.wait(30)
            last, known = process, []
        yield port


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int, process: subprocess.Popen[bytes], timeout_s: float = 30.0) -> None:
    end = time.monotonic() + timeout_s
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.02)
    raise AssertionError(f"HAProxy does not listen on {port}; exit code {process.poll()}")
