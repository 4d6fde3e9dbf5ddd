"""The servers that are compared: each a process of its own, started on a free port, asked until it is ready, ended."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import distml
from distml.registry import Version
from distml.storage import Storage

_PATIENCE_S = 180.0


@dataclass(frozen=True, kw_only=True)
class Side:
    """A server. command: with {port} for its port; path: where it predicts; ready: what answers 200 once it does;
    hooks: a folder whose sitecustomize.py changes it."""

    name: str
    command: tuple[str, ...]
    path: str
    ready: str
    hooks: Path | None = None


def distml_side(name: str, storage: Storage, version: Version) -> Side:
    """One replica behind HAProxy, as `distml deploy` starts it."""
    command = (sys.executable, "-m", "distml", "deploy", version.label, "--storage", storage.root, "--port", "{port}")
    route = f"/{version.name}"
    return Side(name=name, command=command, path=f"{route}/predict", ready=f"{route}/readyz")


def unwatched_side(name: str, storage: Storage, version: Version) -> Side:
    """The same without monitoring."""
    return replace(distml_side(name, storage, version), hooks=Path(__file__).with_name("unwatched"))


def by_hand_side(name: str, storage: Storage, version: Version) -> Side:
    script = str(Path(__file__).with_name("by_hand.py"))
    return Side(
        name=name,
        command=(sys.executable, script, storage.uri(version.package), "{port}"),
        path="/predict",
        ready="/openapi.json",
    )


def mlflow_side(name: str, storage: Storage, version: Version) -> Side:
    """The version's mirror in MLflow's registry, served as MLflow does by default."""
    command = (sys.executable, "-m", "mlflow", "models", "serve", "-m", f"models:/{version.name}/{version.number}",
               "--env-manager", "local", "--host", "127.0.0.1", "--port", "{port}")  # fmt: skip
    return Side(name=name, command=command, path="/invocations", ready="/ping")


@dataclass(frozen=True, kw_only=True)
class Server:
    """A side that is up. url: where it predicts."""

    url: str
    pid: int

    def cpu_s(self) -> float:
        """CPU time that the process has taken, and all that it started which still run."""
        parents, seconds = {}, {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):  # it ended between listing and reading
                fields = stat.read_text().rpartition(")")[2].split()
                pid = int(stat.parent.name)
                parents[pid] = int(fields[1])
                seconds[pid] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        ours, found = {self.pid}, {self.pid}
        while found:
            found = {pid for pid, parent in parents.items() if parent in found} - ours
            ours |= found
        return sum(seconds.get(pid, 0.0) for pid in ours)


@contextlib.contextmanager
def running(side: Side, storage: Storage, log: Path) -> Iterator[Server]:
    """A side, while the block runs. log: where the process writes to."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    command = [part.replace("{port}", str(port)) for part in side.command]
    with log.open("ab") as stream:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, start_new_session=True,
            env=_environment(side, storage),
        )  # fmt: skip
    try:
        _wait(f"http://127.0.0.1:{port}{side.ready}", process, log)
        yield Server(url=f"http://127.0.0.1:{port}{side.path}", pid=process.pid)
    finally:
        _end(process)


def _environment(side: Side, storage: Storage) -> dict[str, str]:
    """This process's, with the same distml, the programs beside Python, and the registry that MLflow reads."""
    paths = [side.hooks, Path(distml.__file__).parents[1], os.environ.get("PYTHONPATH")]
    return {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(str(path) for path in paths if path),
        "MLFLOW_TRACKING_URI": f"sqlite:///{storage.root}/mlflow/mlflow.db",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + _PATIENCE_S
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            pass
        time.sleep(0.1)
    raise SystemExit(f"{url} doesn't answer; its log ends in:\n{log.read_text(errors='replace')[-3000:]}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Asks the server to end, and its children with it where it leaves any."""
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(60)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
