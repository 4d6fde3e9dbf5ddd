"""The stage `deploy`: a registered version onto Ray Serve, or into the replicas that run already."""

from __future__ import annotations

import logging
import os
import socket
import time
from pathlib import Path
from typing import Any

import orjson

from distml.config import RunConfig
from distml.errors import ConfigError, DistmlError, NotFoundError, StorageError
from distml.lifecycle.on_ray import NAMESPACE
from distml.lifecycle.runs import read_run
from distml.registry import Version
from distml.storage import Storage

_SWAP_TIMEOUT_S = 120.0
_POLL_S = 0.1


def config_of(storage: Storage, version: Version) -> RunConfig:
    """The run config that a version was made with, its storage being where it was found."""
    value = read_run(storage, version.run)["config"]
    return RunConfig.model_validate({**value, "storage": storage.root})


def check_port(config: RunConfig) -> None:
    """Raises `ConfigError` when something else listens on the endpoint's port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((config.serve.host, config.serve.port))
        except OSError as error:
            raise ConfigError(
                "the endpoint's port is free",
                received=f"{config.serve.host}:{config.serve.port}: {error.strerror}",
                where="serve.port",
                remedy="end what listens there, or choose another with -s serve.port=8001",
            ) from error


def deploy(config: RunConfig, storage: Storage, version: Version) -> str:
    """Serves a version on the cluster that this process is connected to; returns the endpoint's URL.

    A service that runs already swaps the version in beside its traffic. Raises `DistmlError` when the version is
    refused; the one before then goes on answering.
    """
    from ray import serve

    from distml.monitor import on_ray as monitor
    from distml.serve.on_ray import ReplicaSettings, application
    from distml.serve.service import Limits

    import ray  # isort: skip

    logging.getLogger("ray.serve").setLevel(logging.WARNING)  # it tells of every step otherwise
    actor = monitor.start(config.name, config.monitor, NAMESPACE)
    baseline = orjson.loads(storage.read_bytes(f"{version.package}/baseline.json"))
    ray.get(actor.watch.remote(version.number, baseline))
    settings = ReplicaSettings(
        name=config.name,
        storage=storage.root,
        monitor=monitor.actor_name(config.name),
        namespace=NAMESPACE,
        flush_interval_s=config.monitor.flush_interval_s,
        limits=Limits(max_rows=config.serve.max_rows, max_body_bytes=int(config.serve.max_body_mb * (1 << 20))),
    )
    good = _serving(ray.get(actor.report.remote()))
    wanted: dict[str, Any] = {"version": version.number, "package": version.package}
    wanted["last_good"] = _package_of(storage, config.name, good) if good is not None else None
    serve.start(
        http_options={"host": config.serve.host, "port": config.serve.port},
        logging_config={"log_level": "WARNING", "enable_access_log": False},
    )
    app = application(settings, config.serve.autoscaling.model_dump(), config.serve.num_cpus, wanted)
    try:
        serve.run(app, name=config.name, route_prefix=config.route)
    except RuntimeError as error:  # how Serve says that an application didn't come up; the replica told why
        raise _refusal(actor, version) or error from error
    _wait_until_serving(actor, version)
    return f"http://{config.serve.host}:{config.serve.port}{config.route}"


def _serving(report: dict[str, Any]) -> int | None:
    """The version that the replica heard of last serves; earlier ones may be gone, with versions rolled back since."""
    heard = [replica for replica in report["replicas"].values() if replica["serving"] is not None]
    return max(heard, key=lambda replica: replica["at"])["serving"] if heard else None


def _package_of(storage: Storage, name: str, number: int) -> dict[str, Any]:
    package = storage.read_json(f"models/{name}/versions/{number:06d}.json")["package"]
    return {"version": number, "package": package}


def _concerned(actor: Any, version: Version) -> list[dict[str, Any]]:
    """What replicas told the monitor about a version."""
    import ray

    replicas = ray.get(actor.report.remote())["replicas"].values()
    return [replica for replica in replicas if replica["wanted"] == version.number]


def _refusal(actor: Any, version: Version) -> DistmlError | None:
    refused = [replica["error"] for replica in _concerned(actor, version) if replica["error"]]
    if not refused:
        return None
    return DistmlError(
        "a version loads and reproduces its golden rows before it serves",
        received=refused[0],
        where=version.label,
        remedy="the version before goes on answering, if there is one",
    )


def _num_running(name: str) -> int:
    from ray import serve

    deployments = serve.status().applications[name].deployments.values()
    return sum(deployment.replica_states.get("RUNNING", 0) for deployment in deployments)


def _wait_until_serving(actor: Any, version: Version) -> None:
    """Until every running replica serves the version."""
    deadline = time.monotonic() + _SWAP_TIMEOUT_S
    while time.monotonic() < deadline:
        refused = _refusal(actor, version)
        if refused is not None:
            raise refused
        serving = [replica for replica in _concerned(actor, version) if replica["serving"] == version.number]
        if len(serving) >= max(1, _num_running(version.name)):
            return
        time.sleep(_POLL_S)  # replicas speak to the monitor, which holds no connection to ask back on
    raise DistmlError(
        "a version is loaded within two minutes",
        received=f"{version.label} is not",
        remedy="look at Ray's logs under /tmp/ray/session_latest/logs/serve",
    )


class LiveRecord:
    """`live/<name>.json`: where a model is served by a process of this machine, for other commands to find."""

    def __init__(self, storage: Storage, name: str) -> None:
        self._storage = storage
        self._key = f"live/{name}.json"
        self.name = name

    def write(self, url: str, version: Version, state: Path) -> None:
        import ray

        self._storage.write_json(
            self._key,
            {
                "name": self.name,
                "url": url,
                "version": version.number,
                "pid": os.getpid(),
                "host": socket.gethostname(),
                "address": ray.get_runtime_context().gcs_address,
                "token_path": str(state / "token"),
            },
        )

    def update_version(self, version: Version) -> None:
        self._storage.write_json(self._key, {**self._storage.read_json(self._key), "version": version.number})

    def read(self) -> dict[str, Any] | None:
        """The record of a service whose process is alive on this machine, else None."""
        try:
            value = self._storage.read_json(self._key)
        except (NotFoundError, StorageError):
            return None
        if value["host"] != socket.gethostname() or not Path(value["token_path"]).exists():
            return None
        try:
            os.kill(value["pid"], 0)
        except OSError:
            return None
        return value

    def remove(self) -> None:
        self._storage.delete(self._key)
