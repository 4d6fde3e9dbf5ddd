"""A process that serves a model until it is told to end: what `deploy` and `run --deploy` come to."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from pathlib import Path

from distml.cluster.on_ray import NAMESPACE
from distml.config import RunConfig
from distml.errors import ConfigError
from distml.lifecycle.deploy import deploy
from distml.lifecycle.live import LiveRecord
from distml.registry import Version
from distml.storage import Storage


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


def hold(
    config: RunConfig, storage: Storage, version: Version, state: Path | None, ready: Callable[[str], None]
) -> None:
    """Serves a version on this process's cluster until it is interrupted, which is how a service is meant to end.

    state: the folder of a local cluster's private files, None for a cluster that stays; ready: called with the URL
    once it answers.
    """
    import signal

    import ray

    check_port(config)
    url = deploy(config, storage, version)
    live = LiveRecord(storage, config.name)
    token_path = state / "token" if state is not None else None
    live.write(url, version, ray.get_runtime_context().gcs_address, token_path)
    try:
        ready(url)
        while True:
            signal.pause()
    except KeyboardInterrupt:
        return
    finally:
        live.remove()
        if state is None:
            withdraw(config.name)


def withdraw(name: str) -> None:
    """Ends what serves and watches a model on this process's cluster."""
    import ray
    from ray import serve

    from distml.monitor.on_ray import actor_name

    serve.delete(name)
    with contextlib.suppress(ValueError):  # no such actor
        ray.kill(ray.get_actor(actor_name(name), namespace=NAMESPACE))
