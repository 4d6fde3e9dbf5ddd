"""The endpoint: one address and port, behind which the models of a storage are served side by side, each by its route.

On one machine the first model's process holds a local cluster, and the others' are its guests.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from distml.config import RunConfig
from distml.config.tls import TlsConfig
from distml.errors import ConfigError, UsageError
from distml.lifecycle.serving.live import LiveRecord, exclusive, services
from distml.storage import Storage


class Endpoint:
    """What a config's model is to be served behind, as the live records of its storage tell it."""

    def __init__(self, config: RunConfig, storage: Storage) -> None:
        self._config = config
        self._storage = storage

    @contextlib.contextmanager
    def claimed(self) -> Iterator[None]:
        """For whoever begins to serve: one at a time, so that one starts the cluster and the others find it."""
        with exclusive(self._storage, f"port {self._config.serve.port}"):
            yield

    def check(self, *, is_local: bool) -> None:
        """Raises `UsageError` for a model that is served already, and `ConfigError` on a local cluster for a port that
        something else has, an endpoint that listens otherwise, a route that another model has."""
        check_not_live(self._config, self._storage)
        if not is_local:
            return
        neighbours = self._neighbours()
        if not neighbours:
            check_port(self._config)
            return
        check_route(self._config, {urlsplit(near["url"]).path: near["name"] for near in neighbours})
        self._check_alike(neighbours[0])

    def cluster(self) -> dict[str, Any] | None:
        """A record that tells how to reach the local cluster behind the endpoint, None where there is none."""
        return next(iter(self._neighbours()), None)

    def _neighbours(self) -> list[dict[str, Any]]:
        """The records of what local clusters serve on this port."""
        records = (live.read() for live in services(self._storage))
        port = self._config.serve.port
        return [record for record in records if record and record["cluster"] and urlsplit(record["url"]).port == port]

    def _check_alike(self, near: Mapping[str, Any]) -> None:
        wanted, found = listening(self._config), near["listens"]
        if wanted != found:
            raise ConfigError(
                "the models behind one port are reached alike",
                received=f"{self._config.name} {wanted}; {near['name']}, which is served there, {found}",
                where="serve",
                remedy="let both listen alike, or choose another port with -s serve.port=8001",
            )


def listening(config: RunConfig) -> str:
    """How what is before the replicas listens: one address and one certificate for all models behind it."""
    host, tls = config.serve.host, config.serve.tls
    return f"on {host} with {tls.certificate}" if isinstance(tls, TlsConfig) else f"on {host} without TLS"


def check_not_live(config: RunConfig, storage: Storage) -> None:
    """Raises `UsageError` when a process serves the model."""
    running = LiveRecord(storage, config.name).read()
    if running is not None:
        raise UsageError(
            "a model is served by one process",
            received=f"{config.name}, served at {running['url']} by process {running['pid']}",
            remedy=f"distml deploy {config.name} swaps a version in, distml down {config.name} ends it",
        )


def check_route(config: RunConfig, taken: Mapping[str, str]) -> None:
    """Raises `ConfigError` when another model has the route. taken: models by route."""
    other = taken.get(config.route)
    if other is not None and other != config.name:
        raise ConfigError(
            "each model behind an endpoint has a route of its own",
            received=f"{config.route} for {config.name}, which is {other}'s",
            where="serve.route",
            remedy="leave serve.route out, which makes it the model's name, or choose another",
        )


def check_port(config: RunConfig) -> None:
    """Raises `ConfigError` when something else listens on the endpoint's port."""
    family = socket.AF_INET6 if ":" in config.serve.host else socket.AF_INET
    with socket.socket(family) as probe:
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
