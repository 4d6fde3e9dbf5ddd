"""The service as replicas of one Ray Serve deployment: no second hop, versions change inside the replica.

`reconfigure` only records what traffic is wanted: a replica whose `reconfigure` works or raises would be taken out of
rotation. `Versions` brings the replica there, beside the requests.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict
from importlib.metadata import version as installed
from typing import Any

from ray import serve

from distml.config.serve import ServeConfig
from distml.serve.asgi import App
from distml.serve.feedback.log import FeedbackLog
from distml.serve.garbage import Garbage
from distml.serve.link.on_ray import Flushing, Link
from distml.serve.service import Service
from distml.serve.settings import ReplicaSettings
from distml.serve.tokens.auth import tokens_of
from distml.serve.tokens.revoked import READ_EVERY_S, revoked_names
from distml.serve.traffic import Traffic
from distml.serve.versions.versions import Versions
from distml.storage import Storage
from distml.threads import set_threads

# Serve's replicas would write a line for each request, which takes an eighth of their time.
_LOGGING = {"log_level": "WARNING", "enable_access_log": False}
_LAST_WORDS_S = 10.0  # in which a replica that is stopped tells what it still knows
# How long one thread may keep the interpreter from another: what loads a version, or summarises windows, would
# otherwise hold up each request by Python's 5 ms, several times.
_SWITCH_INTERVAL_S = 0.0005


@serve.ingress()
class Replica:
    """Serves one model over HTTP."""

    def __init__(self, settings: ReplicaSettings) -> None:
        _bind_loopback()
        _log_beside_serve()
        sys.setswitchinterval(_SWITCH_INTERVAL_S)
        set_threads(settings.num_threads)
        storage = Storage(settings.storage)
        link = Link(settings.monitor, settings.namespace)
        self._settings = settings
        self._storage = storage
        self._link = link
        self._tokens = tokens_of(settings.tokens)
        self._feedback = FeedbackLog(storage, settings.name, link.replica)
        self._service = Service(
            settings.name, settings.terms, self._tokens, feedback=self._feedback, metrics=link.metrics
        )
        self._versions = Versions(
            storage, swap=self._service.swap, told=link.loaded, device=settings.device,
            max_batch_rows=settings.max_batch_rows,
        )  # fmt: skip
        self._flushing = Flushing(self._service, link, self._versions.tell_again)
        self._is_ending = threading.Event()

    def __serve_build_asgi_app__(self) -> App:
        """What Serve calls for each request; called by Serve after the constructor."""
        return App(
            self._service, body_timeout_s=self._settings.body_timeout_s, close=self._close, adds_request_id=False
        )

    async def reconfigure(self, config: dict[str, Any]) -> None:
        """Notes the traffic that is wanted. A new replica loads before it is ready, a running one beside its own."""
        traffic = Traffic.from_dict(config)
        if self._service.serving is None:
            await asyncio.to_thread(self._start, traffic)
        else:
            self._versions.want(traffic)

    def _start(self, traffic: Traffic) -> None:
        self._revoke()
        self._versions.start(traffic)
        self._garbage = Garbage()
        self._repeat(self._flush, self._settings.flush_interval_s)
        if not self._tokens.is_open:
            self._repeat(self._revoke, READ_EVERY_S)

    def _flush(self) -> None:
        self._flushing.flush()
        self._garbage.collect()

    def _revoke(self) -> None:
        if not self._tokens.is_open:
            self._tokens.revoke(revoked_names(self._storage))

    def _repeat(self, work: Callable[[], None], every_s: float) -> None:
        """Does something again and again beside the requests, until the replica ends."""

        def loop() -> None:
            while not self._is_ending.wait(every_s):
                try:
                    work()
                except Exception:  # the next time may do
                    logging.getLogger(__name__).exception("%s", work.__name__)

        threading.Thread(target=loop, name=work.__name__, daemon=True).start()

    async def _close(self) -> None:
        """After the last request of a replica that is stopped: nothing that it counted is lost."""
        self._is_ending.set()
        self._versions.stop()
        await self._service.settled()
        await self._feedback.close()
        await asyncio.to_thread(self._flushing.flush, is_last=True)
        await asyncio.to_thread(self._link.leave)


def _bind_loopback() -> None:
    """Serve writes `[::]:0` into its code for the port on which other deployments would call this one; none does."""
    from ray.serve._private import replica

    add = replica.add_port_to_grpc_server
    replica.add_port_to_grpc_server = lambda server, address: add(server, "127.0.0.1:0")


def _log_beside_serve() -> None:
    """What distml has to say goes where Serve's replicas write: their own file among Ray's logs."""
    logging.getLogger("distml").handlers = logging.getLogger("ray.serve").handlers


def application(settings: ReplicaSettings, config: ServeConfig, traffic: Traffic) -> Any:
    """The Serve application. Deployed again with another `traffic` or autoscaling alone, its replicas stay; with other
    settings, or by another distml, each is replaced once its successor answers."""
    # Serve replaces replicas where this differs, and draws it at random where it isn't given.
    code = repr((installed("distml"), sorted(asdict(settings).items())))
    deployment = serve.deployment(
        Replica,
        name="Replica",
        ray_actor_options={"num_cpus": config.num_cpus, "num_gpus": config.num_gpus},
        # Beyond what the service itself refuses, whose refusals are problems and say when to come again.
        max_ongoing_requests=2 * config.max_queued + 64,
        max_queued_requests=-1,
        autoscaling_config=config.autoscaling.serve_options(),
        user_config=traffic.to_dict(),
        logging_config=_LOGGING,
        # A successor starts before its predecessor stops, also where there is only one replica.
        max_surge_percent=100,
        graceful_shutdown_wait_loop_s=0.2,
        graceful_shutdown_timeout_s=config.timeout_s + _LAST_WORDS_S,
        health_check_period_s=2,
    )
    return deployment.options(version=code, _internal=True).bind(settings)
