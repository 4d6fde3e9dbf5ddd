"""The local cluster that a command works on: started, kept to this machine, and ended without a trace.

Everything that Ray and HAProxy must be told by their environment is told here, before Ray is imported.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib
import io
import os
import secrets
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from distml.cluster import nodes
from distml.cluster.demand import trials_at_once
from distml.cluster.reach import reaching
from distml.config import SearchConfig
from distml.errors import UsageError
from distml.serve import haproxy

NAMESPACE = "distml"


class Signals:
    """SIGINT and SIGTERM raise KeyboardInterrupt once; a second one ends the process at once.

    Ending at once is safe: the kernel ends Ray's servers with the driver, workers follow their raylet, HAProxy
    follows its worker.
    """

    def __init__(self) -> None:
        self.received = 0

    def install(self) -> None:
        """To be called again after `ray.init`, which puts its own SIGTERM handler in place."""
        signal.signal(signal.SIGINT, self._handle)
        signal.signal(signal.SIGTERM, self._handle)

    def _handle(self, number: int, frame: Any) -> None:
        if self.received:
            os._exit(128 + number)
        self.received = number
        raise KeyboardInterrupt


@contextlib.contextmanager
def local_cluster(signals: Signals | None = None) -> Iterator[Path]:
    """A Ray cluster of this machine alone, on loopback, for as long as the block runs.

    Yields the folder of its private files. A SIGTERM while Ray starts is raised as KeyboardInterrupt, as any other.
    """
    with _state_folder() as state, _environment(_settings(state)):
        _refuse_without_token()
        try:
            # Ray opens this folder to every user, so it lies within a private one.
            _start_ray("local", include_dashboard=False, _temp_dir=str(state / "ray"))
            if signals is not None:
                signals.install()
            yield state
        except SystemExit as stopped:  # what Ray's own handler makes of a SIGTERM during ray.init
            raise KeyboardInterrupt from stopped
        finally:
            _stop(state)


@contextlib.contextmanager
def cluster(signals: Signals | None = None) -> Iterator[Path | None]:
    """The cluster to work on: the one that RAY_ADDRESS names, as it does in a Ray job, else one of this machine alone.

    Yields the folder of a local cluster's private files, None for a cluster that is there without us.
    """
    address = named_address()
    if address is not None:
        with _joined(address, signals):
            yield None
    else:
        with local_cluster(signals) as state:
            yield state


@contextlib.contextmanager
def named_cluster() -> Iterator[str | None]:
    """This process as a driver of the cluster that RAY_ADDRESS names; yields its address, None where none is named."""
    address = named_address()
    if address is None:
        yield None
        return
    with _joined(address, None):
        yield address


def named_address() -> str | None:
    """Of the cluster that RAY_ADDRESS names, None where work is on a local one."""
    address = os.environ.get("RAY_ADDRESS", "")
    return address if address and "://" not in address else None


@contextlib.contextmanager
def _joined(address: str, signals: Signals | None) -> Iterator[None]:
    """This process as a driver of a cluster that is there without it, and stays when it ends."""
    with reaching(address):
        _start_ray(address)
    import ray

    if signals is not None:
        signals.install()
    try:
        yield
    finally:
        ray.shutdown()


@contextlib.contextmanager
def connected(address: str, token_path: str | None) -> Iterator[None]:
    """This process as a driver of the cluster that a service runs on.

    token_path: of a local cluster that another distml process holds; None for one that is there without us. Nothing
    changes for a process that is that cluster's driver already.
    """
    if is_connected_to(address):
        yield
        return
    if token_path is None:
        with _joined(address, None):
            yield
        return
    with _environment({**_LOCAL, "RAY_AUTH_TOKEN_PATH": token_path}):
        _start_ray(address)
        import ray

        try:
            yield
        finally:
            ray.shutdown()


def is_connected_to(address: str) -> bool:
    """Whether this process is a driver of the cluster whose control store has this address."""
    ray = sys.modules.get("ray")
    return ray is not None and ray.is_initialized() and ray.get_runtime_context().gcs_address == address


def max_concurrent_trials(config: SearchConfig) -> int:
    """Trials that the cluster holds at once, or fewer if the config says so. Errors: `trials_at_once`."""
    return trials_at_once(nodes.cluster(), config)


_LOCAL = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    # The node's address becomes 127.0.0.1, and then every Ray process binds loopback only. A second driver without
    # it would wait for a node of another address for ever.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_AUTH_MODE": "token",
}


def _settings(state: Path) -> dict[str, str]:
    token = state / "token"
    token.touch(mode=0o600)
    token.write_text(secrets.token_hex(32))
    settings = {**_LOCAL, "RAY_AUTH_TOKEN_PATH": str(token)}
    return settings | (haproxy.settings(state, _free_port()) if haproxy.is_available() else {})


def _refuse_without_token() -> None:
    """Ray reads how it is to authenticate once, as it is imported: what was imported before can't start a cluster."""
    raylet: Any = importlib.import_module("ray._raylet")  # of which Ray tells no types
    if raylet.get_authentication_mode() == raylet.AuthenticationMode.DISABLED:
        raise UsageError(
            "a local cluster takes work with a token alone, which Ray learns as it is imported",
            received="Ray imported already",
            remedy="call ray.init() first to work on a cluster of your own, import ray after distml has run, or set "
            "RAY_AUTH_MODE=token before; engine='local' does without Ray",
        )


def _start_ray(address: str, **options: Any) -> None:
    import ray

    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    ray.init(address=address, namespace=NAMESPACE, log_to_driver=False, logging_level="ERROR", **options)


@contextlib.contextmanager
def _environment(settings: dict[str, str]) -> Iterator[None]:
    """The process's environment with settings, for the block alone: they name files that end with it."""
    before = dict(os.environ)
    os.environ.update(settings)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextlib.contextmanager
def _state_folder() -> Iterator[Path]:
    """A private folder for one cluster; those that killed processes left behind are removed.

    Always below /tmp: Ray adds 56 characters of node id to a unix socket's path, which may have 107.
    """
    parent = Path("/tmp")
    with contextlib.ExitStack() as stack:
        guard = stack.enter_context(open(parent / f".distml-{os.getuid()}.lock", "w"))
        fcntl.flock(guard, fcntl.LOCK_EX)
        for old in parent.glob("distml-*/lock"):
            with contextlib.suppress(OSError), open(old) as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(old.parent, ignore_errors=True)
        path = Path(tempfile.mkdtemp(prefix="distml-", dir=parent))
        stack.callback(shutil.rmtree, path, ignore_errors=True)
        # Not inherited by children, so free as soon as this process is gone.
        fcntl.flock(stack.enter_context(open(path / "lock", "w")), fcntl.LOCK_EX)
        guard.close()
        yield path


def _stop(state: Path) -> None:
    """Stops what runs, whatever had been started. Signals wait until it is done, then count again."""
    ray = sys.modules.get("ray")
    if ray is None or not hasattr(ray, "shutdown"):
        return
    with contextlib.redirect_stdout(io.StringIO()):  # Ray prints that ending Serve's controller did not return
        if "ray.serve" in sys.modules and ray.is_initialized():
            from ray import serve

            if haproxy.is_available():
                haproxy.drain(state)
            serve.shutdown()
        ray.shutdown()
    _end_children()


def _end_children(timeout_s: float = 4.0) -> None:
    """Ends the children that an interrupted `ray.init` left: it forgets those.

    They would die with this process, but a raylet that is killed leaves its agents behind for a minute. It comes
    first, because its way out asks the control store.
    """
    tasks = Path("/proc/self/task")
    if not tasks.exists():
        return
    end = time.monotonic() + timeout_s
    children = (int(pid) for task in tasks.iterdir() for pid in (task / "children").read_text().split())
    for pid in sorted(children, reverse=True):
        with contextlib.suppress(ChildProcessError, ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
            while os.waitpid(pid, os.WNOHANG)[0] == 0 and time.monotonic() < end:
                time.sleep(0.05)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
