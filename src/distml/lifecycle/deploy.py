"""The stage `deploy`: a registered version onto Ray Serve, or into the replicas that run already.

Whatever changes what is served goes through `swapped`: the commands deploy, promote, rollback and retrain.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import orjson

from distml import code
from distml.cluster.on_ray import NAMESPACE, connected
from distml.config import RunConfig
from distml.errors import DistmlError
from distml.lifecycle.live import LiveRecord
from distml.lifecycle.runs import read_run
from distml.package import MANIFEST
from distml.registry import StoreRegistry, Version
from distml.registry.base import find
from distml.schema import Schema
from distml.storage import Storage

_SWAP_TIMEOUT_S = 120.0
_POLL_S = 0.1


def config_of(storage: Storage, version: Version) -> RunConfig:
    """The run config that a version was made with, its storage being where it was found."""
    value = read_run(storage, version.run)["config"]
    return RunConfig.model_validate({**value, "storage": storage.root})


def require_code(storage: Storage, version: Version) -> None:
    """Raises `CodeError` where a version is made of functions that this process doesn't allow: replicas need them."""
    for column in Schema.from_dict(storage.read_json(f"{version.package}/{MANIFEST}")["schema"]).derived:
        if column.code is not None:
            code.require_allowed(column.code.dotted, f"{version.label}, column {column.name}")


def swap_live(storage: Storage, version: Version) -> str | None:
    """Brings a version into the service of its model; the service's URL, None where the model isn't served.

    Raises `DistmlError` when a replica refuses the version; traffic is then where it was.
    """
    with swapped(storage, version) as url:
        return url


@contextlib.contextmanager
def swapped(storage: Storage, version: Version, check: Callable[[], None] | None = None) -> Iterator[str | None]:
    """A model's live traffic on a version: for the block, and for good once that ends without an error.

    Yields the service's URL, None where the model isn't served. When a replica refuses the version or the block
    raises, traffic goes back to the version before. One at a time per model; check: called when it is this one's turn,
    and may raise.
    """
    live = LiveRecord(storage, version.name)
    with live.exclusive():
        if check is not None:
            check()
        running = live.read()
        if running is None:
            yield None
            return
        require_code(storage, version)
        before = find(StoreRegistry(storage).versions(version.name), version.name, running["version"])
        with connected(running["address"], running["token_path"]):
            try:
                yield _roll_out(storage, version, running["url"])
            except BaseException as error:
                _put_back(storage, before, running["url"], error)
                raise
        live.update_version(version)


def _roll_out(storage: Storage, version: Version, url: str) -> str:
    """Deploys a version with the config that it was made with, on the port that the service has."""
    config = config_of(storage, version)
    serve = config.serve.model_copy(update={"port": urlsplit(url).port})
    return deploy(config.model_copy(update={"serve": serve}), storage, version)


def _put_back(storage: Storage, before: Version, url: str, error: BaseException) -> None:
    try:
        _roll_out(storage, before, url)
    except DistmlError as second:
        raise DistmlError(
            "after a failed swap the version before is served again",
            received=f"{error}; and then: {second}",
            where=before.label,
            remedy=f"look at `distml monitor {before.name}`, and deploy a version that loads",
        ) from error


def deploy(config: RunConfig, storage: Storage, version: Version) -> str:
    """Serves a version on the cluster that this process is connected to; returns the endpoint's URL.

    A service that runs already swaps the version in beside its traffic. Raises `DistmlError` when the version is
    refused; the one before then goes on answering.
    """
    from ray import serve

    from distml.monitor import on_ray as monitor
    from distml.serve.on_ray import ReplicaSettings, application
    from distml.serve.wire import Limits

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
    # The time makes every deployment one that Serve tells the replicas of, and their answer to it one of now.
    asked_at = time.time()
    wanted: dict[str, Any] = {"version": version.number, "package": version.package, "asked_at": asked_at}
    wanted["allow_code"] = list(code.allowed())  # replicas import a user's own functions, too
    wanted["last_good"] = _package_of(storage, config.name, good) if good is not None else None
    serve.start(
        http_options={"host": config.serve.host, "port": config.serve.port},
        logging_config={"log_level": "WARNING", "enable_access_log": False},
    )
    app = application(settings, config.serve.autoscaling.model_dump(), config.serve.num_cpus, wanted)
    try:
        serve.run(app, name=config.name, route_prefix=config.route)
    except RuntimeError as error:  # how Serve says that an application didn't come up; the replica told why
        raise _refusal(actor, version, asked_at) or error from error
    _wait_until_serving(actor, version, asked_at)
    return f"http://{config.serve.host}:{config.serve.port}{config.route}"


def _serving(report: dict[str, Any]) -> int | None:
    """The version that the replica heard of last serves; earlier ones may be gone, with versions rolled back since."""
    heard = [replica for replica in report["replicas"].values() if replica["serving"] is not None]
    return max(heard, key=lambda replica: replica["at"])["serving"] if heard else None


def _package_of(storage: Storage, name: str, number: int) -> dict[str, Any]:
    package = storage.read_json(f"models/{name}/versions/{number:06d}.json")["package"]
    return {"version": number, "package": package}


def _concerned(actor: Any, version: Version, asked_at: float) -> list[dict[str, Any]]:
    """What replicas told the monitor about a version since it was asked for: not those of old, nor those gone."""
    import ray

    replicas = ray.get(actor.report.remote())["replicas"].values()
    return [known for known in replicas if known["wanted"] == version.number and known["at"] >= asked_at]


def _refusal(actor: Any, version: Version, asked_at: float) -> DistmlError | None:
    refused = [replica["error"] for replica in _concerned(actor, version, asked_at) if replica["error"]]
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


def _wait_until_serving(actor: Any, version: Version, asked_at: float) -> None:
    """Until every running replica serves the version."""
    deadline = time.monotonic() + _SWAP_TIMEOUT_S
    while time.monotonic() < deadline:
        refused = _refusal(actor, version, asked_at)
        if refused is not None:
            raise refused
        serving = [replica for replica in _concerned(actor, version, asked_at) if replica["serving"] == version.number]
        if len(serving) >= max(1, _num_running(version.name)):
            return
        time.sleep(_POLL_S)  # replicas speak to the monitor, which holds no connection to ask back on
    raise DistmlError(
        "a version is loaded within two minutes",
        received=f"{version.label} is not",
        remedy="look at Ray's logs under /tmp/ray/session_latest/logs/serve",
    )
