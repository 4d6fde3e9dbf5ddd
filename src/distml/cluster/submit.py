"""Commands as Ray jobs: what is checked before, how one is submitted, followed and left."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import platform
import shlex
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson

from distml import sizes
from distml.cluster import working_dir
from distml.cluster.probe import MARK
from distml.config import RunConfig
from distml.errors import ConfigError, DistmlError, StorageError, UsageError

CONFIG_VARIABLE = "DISTML_CONFIG"
JOB_VARIABLE = "DISTML_JOB"  # set for a command that is carried out as a job
_PROBE_TIMEOUT_S = 30.0
_CONNECT_TIMEOUT_S = 3.0
_OLDEST_RAY = (2, 54)
_POLL_S = 0.1
_NO_AGENT = (
    "another Ray of that machine holds the port of its job agent: start this one with "
    "--dashboard-agent-listen-port, or look at logs/dashboard_agent.log"
)


@dataclass(frozen=True, kw_only=True)
class JobEnd:
    """How a job ended: its exit code, and the result that it printed, if it did."""

    exit_code: int
    result: dict[str, Any] | None


class Cluster:
    """A cluster by the address of its dashboard, http://HOST:8265.

    Raises `ConfigError` when nothing answers there within seconds, or it isn't ours to use.
    """

    def __init__(self, address: str) -> None:
        self.address = _checked(address)
        _knock(self.address)
        from ray.exceptions import AuthenticationError
        from ray.job_submission import JobSubmissionClient

        for name in ("dashboard.modules.job.sdk", "dashboard.modules.dashboard_sdk", "_private.runtime_env.packaging"):
            logging.getLogger(f"ray.{name}").setLevel(logging.WARNING)  # they tell of every upload otherwise
        try:
            self._client = JobSubmissionClient(self.address)
        except AuthenticationError as error:
            raise ConfigError(
                "a cluster with token authentication is given its token",
                received=_first_line(error),
                where=self.address,
                remedy="set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN_PATH to a file with the cluster's token",
            ) from error
        except (RuntimeError, ConnectionError, ValueError, KeyError) as error:
            raise ConfigError(
                "what answers at a cluster's address is Ray's dashboard", received=_first_line(error),
                where=self.address,
            ) from error  # fmt: skip

    def preflight(self, storage: str | None) -> list[str]:
        """What differs from this machine and does no harm, in lines. Checks what would fail later, in seconds.

        storage: which the cluster must be able to write. Raises `ConfigError` or `StorageError` with the remedy.
        """
        told = self._probe(storage)
        if tuple(int(part) for part in told["ray"].split(".")[:2]) < _OLDEST_RAY:
            raise ConfigError("a cluster runs Ray 2.54 or newer", received=told["ray"], where=self.address)
        own = version("distml")
        if told["distml"] != own:
            raise ConfigError(
                "the cluster has the workstation's version of distml",
                received=f"distml {told['distml']} on the cluster, {own} here",
                where=self.address,
                remedy=f"install distml {own} on every node, or {told['distml']} here",
            )
        if "error" in told:
            raise _error_of(told["error"], self.address)
        return _differences(told)

    def submit(self, arguments: Sequence[str], config: RunConfig | None, folder: Path) -> str:
        """Starts a distml command as a job; returns its id.

        config: which the command reads as `env:DISTML_CONFIG`; folder: the working directory, sent without what
        `working_dir` leaves out. Raises `UsageError` for a config or folder that can't be sent.
        """
        variables = {JOB_VARIABLE: "1", **({CONFIG_VARIABLE: _text_of(config)} if config is not None else {})}
        environment: dict[str, Any] = {"env_vars": variables, **_working_dir(folder, config)}
        with _answering(self.address):
            return self._client.submit_job(
                entrypoint=shlex.join(["python", "-m", "distml", *arguments]), runtime_env=environment
            )

    def follow(self, job: str, on_line: Callable[[str], None], *, until_result: bool = False) -> JobEnd:
        """Hands on a job's log line by line until it ends, or with `until_result` has printed its result."""
        found: list[dict[str, Any]] = []

        async def read() -> None:
            async for line in _lines(self._client.tail_job_logs(job)):
                if line.startswith(MARK):
                    found.append(orjson.loads(line[1:]))
                    if until_result:
                        return
                else:
                    on_line(line)

        with _answering(self.address):
            asyncio.run(read())
            result = found[-1] if found else None
            if result is not None and until_result:
                return JobEnd(exit_code=0, result=result)
            info = self._ended(job)
        code = info.driver_exit_code
        if code is None or code < 0:
            raise DistmlError(
                "a job runs to its end", received=f"{info.status}: {_first_line(info.message)}", where=f"job {job}",
                remedy=f"ray job logs {job} --address {self.address}",
            )  # fmt: skip
        return JobEnd(exit_code=code, result=result)

    def _ended(self, job: str) -> Any:
        """What is known of a job whose log is over: its status follows a moment later."""
        while not (info := self._client.get_job_info(job)).status.is_terminal():
            time.sleep(_POLL_S)
        return info

    def _probe(self, storage: str | None) -> dict[str, Any]:
        with _answering(self.address):
            job = self._client.submit_job(
                entrypoint="python -m distml.cluster.probe",
                runtime_env={"env_vars": {"DISTML_PROBE": storage or ""}},
                metadata={"job_name": "distml-preflight"},
            )
            deadline = time.monotonic() + _PROBE_TIMEOUT_S
            while not self._client.get_job_status(job).is_terminal():
                if time.monotonic() > deadline:
                    self._client.stop_job(job)
                    raise ConfigError(
                        "a cluster starts a job within seconds", received=f"not in {_PROBE_TIMEOUT_S:g} s",
                        where=self.address, remedy="look at its head: `ray status`",
                    )  # fmt: skip
                time.sleep(_POLL_S)
            log = self._client.get_job_logs(job)
        for line in log.split("\n"):  # `splitlines` would end a line at the mark
            if line.startswith(MARK):
                return orjson.loads(line[1:])
        raise ConfigError(
            "`python` on the cluster's head has distml",
            received=_last_line(log),
            where=self.address,
            remedy="install distml on every node, and start Ray from the environment that it is in",
        )


def _working_dir(folder: Path, config: RunConfig | None) -> dict[str, Any]:
    """What Ray is told of the folder to send. Raises `UsageError` naming what makes it too large."""
    patterns = working_dir.excludes(folder, working_dir.paths_of(config) if config is not None else ())
    size = working_dir.size(folder, patterns)
    if not size.fits:
        raise UsageError(
            f"a working directory of at most {sizes.size(working_dir.LIMIT_BYTES)} is sent with a job",
            received=f"{size.in_words()}: {size.largest_in_words()}",
            where=str(folder),
            remedy="start the command in the project's own folder, or name what stays here in .rayignore",
        )
    return {"working_dir": str(folder), "excludes": patterns}


def _text_of(config: RunConfig) -> str:
    """A config for the environment of a job. Raises `UsageError` for one with a password written in it."""
    if config.to_public_dict() != config.to_dict():
        raise UsageError(
            "a submitted config holds no password",
            received="a URI with a password in the config",
            remedy="write it as ${VARIABLE}, and set that on the cluster",
        )
    return orjson.dumps(config.to_dict()).decode()


async def _lines(chunks: AsyncIterator[str]) -> AsyncIterator[str]:
    """Whole lines of a text that comes in pieces."""
    rest = ""
    async for chunk in chunks:
        *whole, rest = (rest + chunk).split("\n")
        for line in whole:
            yield line
    if rest:
        yield rest


def _checked(address: str) -> str:
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(
            "a cluster's address is that of its dashboard",
            received=address,
            where="--address",
            remedy="write http://HOST:8265",
        )
    return f"{parts.scheme}://{parts.netloc}"


def _knock(address: str) -> None:
    """Raises `ConfigError` where nothing listens, in seconds also where packets are dropped."""
    parts = urlsplit(address)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((parts.hostname or "", port), timeout=_CONNECT_TIMEOUT_S).close()
    except OSError as error:
        raise ConfigError(
            "a cluster's dashboard listens at its address",
            received=error.strerror or str(error),
            where=address,
            remedy="start Ray there with --dashboard-host, or forward the port: ssh -L 8265:localhost:8265 HEAD",
        ) from error


@contextlib.contextmanager
def _answering(address: str) -> Iterator[None]:
    """Errors on the way to the cluster, and what it refuses, as `DistmlError`."""
    import requests

    try:
        yield
    except (requests.RequestException, RuntimeError, ConnectionError) as error:
        raise DistmlError(
            "a cluster takes jobs, and goes on answering",
            received=_first_line(error),
            where=address,
            remedy=_NO_AGENT if "No available agent" in str(error) else None,
        ) from error


def _error_of(told: dict[str, Any], address: str) -> DistmlError:
    """An error that the probe met on the cluster."""
    kinds = {kind.__name__: kind for kind in (ConfigError, StorageError)}
    kind = kinds.get(told["type"], DistmlError)
    where = f"{told['where']}, on the cluster at {address}"
    return kind(told["rule"], received=told["received"], where=where, remedy=told["remedy"])


def _differences(told: Mapping[str, str]) -> list[str]:
    """What is another version there than here, of what need not be the same."""
    own = {"ray": version("ray"), "python": platform.python_version()}
    notes = [
        f"the cluster has {name} {told[name]}, this machine {own[name]}" for name in own if told[name] != own[name]
    ]
    if os.environ.get("RAY_AUTH_MODE") != "token":
        notes.append("the cluster takes jobs from whoever reaches it: start it with RAY_AUTH_MODE=token")
    return notes


def _first_line(error: object) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1][:300] if lines else "nothing"
