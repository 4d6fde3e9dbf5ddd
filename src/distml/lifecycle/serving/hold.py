"""A process that serves a model until it is told to end: what `deploy` and `run --deploy` come to.

On one machine the first such process starts a cluster and holds it; the others serve their models there as its guests,
behind the same port. A guest's process only waits: the holder alone takes models down, its guests' too.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from distml.cluster import nodes
from distml.cluster.demand import check_replicas, check_room
from distml.cluster.guests import Guests
from distml.cluster.on_ray import NAMESPACE, Signals, cluster, connected, named_address
from distml.config import RunConfig
from distml.errors import ConfigError, DistmlError
from distml.lifecycle.liveness import owner_is_alive
from distml.lifecycle.serving.deploy import deploy
from distml.lifecycle.serving.endpoint import Endpoint, check_port, check_route, listening
from distml.lifecycle.serving.live import LiveRecord
from distml.registry import Version
from distml.serve import haproxy
from distml.storage import Storage

Say = Callable[[str], None]
_POLL_S = 0.2


def serve(config: RunConfig, storage: Storage, version: Version, signals: Signals, ready: Say, say: Say) -> None:
    """Serves a version until this process is interrupted: where models of this storage are served behind its port, as
    their cluster's guest, else on a cluster of its own or the one that RAY_ADDRESS names.

    ready: called with the URL once it answers. Raises what `Endpoint.check` raises, before anything changes.
    """
    endpoint = Endpoint(config, storage)
    with contextlib.ExitStack() as claim:
        claim.enter_context(endpoint.claimed())
        is_local = named_address() is None
        endpoint.check(is_local=is_local)
        host = endpoint.cluster() if is_local else None

        def answers(url: str) -> None:
            claim.close()
            ready(url)

        if host is not None:
            if _visit(config, storage, version, host, signals, answers, say):
                return
            _wait_for_end(host["cluster"])  # it takes no guests, because it is about to be gone
        with cluster(signals) as state:
            _hold(config, storage, version, state, answers, say)


def hold(config: RunConfig, storage: Storage, version: Version, state: Path | None, ready: Say, say: Say) -> bool:
    """Serves a version on this process's cluster until it is interrupted, which is how a service is meant to end.

    state: the folder of a local cluster's private files, None for a cluster that stays; ready: called with the URL
    once it answers. False, and nothing is served, where another local cluster has come to serve behind the port.
    """
    endpoint = Endpoint(config, storage)
    with contextlib.ExitStack() as claim:
        claim.enter_context(endpoint.claimed())
        if state is not None and endpoint.cluster() is not None:
            return False

        def answers(url: str) -> None:
            claim.close()
            ready(url)

        _hold(config, storage, version, state, answers, say)
    return True


def _hold(config: RunConfig, storage: Storage, version: Version, state: Path | None, ready: Say, say: Say) -> None:
    import ray

    if state is None:
        config = _behind_what_runs(config, say)
    else:
        check_port(config)
    url = _deployed(config, storage, version)
    live = LiveRecord(storage, config.name)
    token_path = state / "token" if state is not None else None
    live.write(url, version, ray.get_runtime_context().gcs_address, token_path, listens=listening(config))
    guests = None if state is None else Guests(state)
    try:
        ready(url)
        while True:
            _take_down_what_is_left(guests, say)
            time.sleep(_POLL_S)
    except KeyboardInterrupt:
        say("distml: ending the service")
        if guests is None or not guests.close():
            withdraw(config.name)
    finally:
        live.remove()
    if guests is not None:
        _hold_on(config.name, guests, say)


def _hold_on(name: str, guests: Guests, say: Say) -> None:
    """Holds the cluster until the last guest is gone; an interrupt ends it at once."""
    if not guests.close():
        others = guests.names()
        say(
            f"distml: {name} is no longer served. {', '.join(others)} {'is' if len(others) == 1 else 'are'} still "
            "served by this cluster, which goes on until that ends; Ctrl-C again ends it at once"
        )
    while not guests.close():
        _take_down_what_is_left(guests, say)
        time.sleep(_POLL_S)


def _take_down_what_is_left(guests: Guests | None, say: Say) -> None:
    from ray.exceptions import RayError

    if guests is None:
        return
    try:
        guests.sweep(withdraw)
    except (RayError, TimeoutError) as error:
        say(f"distml: Serve didn't take down what a guest left, and is asked again: {error}")


def _visit(
    config: RunConfig,
    storage: Storage,
    version: Version,
    host: Mapping[str, Any],
    signals: Signals,
    ready: Say,
    say: Say,
) -> bool:
    """Serves a version on a local cluster that another process holds; False where that takes no guests any more.

    host: the record of a model that is served there. Raises `DistmlError` when the cluster ends.
    """
    token_path = Path(host["token_path"])
    live = LiveRecord(storage, config.name)
    with Guests(token_path.parent).joined(config.name) as is_welcome:
        if not is_welcome:
            return False
        with connected(host["address"], host["token_path"]):
            signals.install()
            url = _deployed(config, storage, version)
        signals.install()
        live.write(url, version, host["address"], token_path, holder=host["cluster"], listens=host["listens"])
        try:
            ready(url)
            _stay(config.name, host["cluster"])
        except KeyboardInterrupt:
            say("distml: ending the service")
        finally:
            live.remove()
    return True


def _deployed(config: RunConfig, storage: Storage, version: Version, patience_s: float = 5.0) -> str:
    """Deploys a version, and returns its URL, where the cluster has room for its replicas: else Serve would wait for
    it without end. What has just ended is given time to be free."""
    capacity = nodes.cluster()
    check_replicas(capacity, config.serve)
    deadline = time.monotonic() + patience_s
    while True:
        try:
            check_room(capacity, nodes.free(), config.serve)
        except ConfigError:
            if time.monotonic() > deadline:
                raise
            time.sleep(_POLL_S)
        else:
            return deploy(config, storage, version)


def _stay(name: str, holder: Mapping[str, Any]) -> None:
    while owner_is_alive(holder):
        time.sleep(_POLL_S)
    raise DistmlError(
        "a local cluster lives while a model is served on it",
        received=f"process {holder['pid']}, which held it, is gone",
        where=name,
        remedy=f"distml deploy {name} serves it again, on a cluster of its own",
    )


def _wait_for_end(holder: Mapping[str, Any], patience_s: float = 30.0) -> None:
    deadline = time.monotonic() + patience_s
    while owner_is_alive(holder) and time.monotonic() < deadline:
        time.sleep(_POLL_S)


def _behind_what_runs(config: RunConfig, say: Say) -> RunConfig:
    """The config with the address and port of the Serve that runs on this process's cluster, if one does.

    Raises `ConfigError` when another application has the route, or, where no Serve runs yet, something else the port.
    """
    from ray.serve.context import _get_global_client

    client = _get_global_client(raise_if_no_controller_running=False)
    if client is None:
        check_port(config)
        return config
    known = client.get_serve_details()["applications"]
    check_route(config, {app["route_prefix"]: name for name, app in known.items()})
    found, wanted = client.http_config, config.serve
    if (found.host, found.port) == (wanted.host, wanted.port):
        return config
    say(
        f"distml: this cluster serves on {found.host}:{found.port} already, so {config.name} is served there too, not "
        f"on {wanted.host}:{wanted.port} as serve says"
    )
    return config.model_copy(
        update={"serve": wanted.model_copy(update={"host": found.host or wanted.host, "port": found.port})}
    )


def withdraw(name: str) -> None:
    """Ends what serves, keeps and watches a model on this process's cluster."""
    import ray
    from ray import serve

    from distml.lifecycle.serving.keeper import on_ray as keeper
    from distml.monitor.on_ray import actor_name

    keeper.end(name)  # first, as it would bring replicas to what is wanted
    haproxy.close_front(name)
    serve.delete(name)
    with contextlib.suppress(ValueError):  # no such actor
        ray.kill(ray.get_actor(actor_name(name), namespace=NAMESPACE))
