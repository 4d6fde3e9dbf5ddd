"""The service as replicas of one Ray Serve deployment: no second hop, versions change inside the replica.

`reconfigure` only records what traffic is wanted: a replica whose `reconfigure` works or raises would be taken out of
rotation. `Versions` brings the replica there, beside the requests.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version as installed
from typing import Any

import ray
from ray import serve
from ray.util.metrics import Counter

from distml.config import RunConfig
from distml.config.serve import ServeConfig
from distml.serve.asgi import App
from distml.serve.counting.counters import COMMON, COUNTERS, deltas
from distml.serve.counting.prometheus import render
from distml.serve.feedback.log import FeedbackLog
from distml.serve.service import Service, Terms
from distml.serve.tokens.auth import tokens_of
from distml.serve.tokens.revoked import READ_EVERY_S, revoked_names
from distml.serve.traffic import Traffic
from distml.serve.versions.versions import Report, Versions
from distml.serve.wire import Limits, Reply, busy
from distml.storage import Storage
from distml.threads import set_threads
from distml.window import Window

_MONITOR_TIMEOUT_S = 5.0
# Serve's replicas would write a line for each request, which takes an eighth of their time.
_LOGGING = {"log_level": "WARNING", "enable_access_log": False}
_LAST_WORDS_S = 10.0  # in which a replica that is stopped tells what it still knows
# How long one thread may keep the interpreter from another: what loads a version, or summarises windows, would
# otherwise hold up each request by Python's 5 ms, several times.
_SWITCH_INTERVAL_S = 0.0005


@dataclass(frozen=True, kw_only=True)
class ReplicaSettings:
    """What a replica is told once; a change of these replaces the replicas.

    monitor, namespace: of the monitoring actor. tokens: the environment variable that holds them, None without.
    """

    name: str
    storage: str
    monitor: str
    namespace: str
    flush_interval_s: float
    terms: Terms
    body_timeout_s: float
    max_batch_rows: int
    tokens: str | None
    num_threads: int
    device: str


def settings_of(config: RunConfig, storage_root: str, *, monitor: str, namespace: str) -> ReplicaSettings:
    """What a config tells its replicas. monitor, namespace: of the monitoring actor."""
    told = config.serve
    limits = Limits(
        max_rows=told.max_rows, max_body_bytes=int(told.max_body_mb * (1 << 20)), max_depth=told.max_depth
    )  # fmt: skip
    return ReplicaSettings(
        name=config.name,
        storage=storage_root,
        monitor=monitor,
        namespace=namespace,
        flush_interval_s=config.monitor.flush_interval_s,
        terms=Terms(limits=limits, max_queued=told.max_queued, timeout_s=told.timeout_s, cors=told.cors),
        body_timeout_s=told.body_timeout_s,
        max_batch_rows=told.max_batch_rows,
        tokens=told.auth.tokens if told.auth is not None else None,
        num_threads=max(1, math.floor(told.num_cpus)),
        device="cuda" if told.num_gpus else "cpu",
    )


class Link:
    """What a replica and its model's monitor say to each other. The monitor may be away: it comes back."""

    def __init__(self, settings: ReplicaSettings) -> None:
        self.replica = f"{os.uname().nodename}-{os.getpid()}"
        self._settings = settings

    def loaded(self, report: Report) -> None:
        """Tells what came of a traffic that was asked for."""
        actor = self._actor()
        if actor is not None:
            actor.loaded.remote(self.replica, report.asked_at, report.versions, report.main, dict(report.errors))

    def observe(self, windows: Sequence[Window], gauges: Mapping[str, float]) -> bool | None:
        """Tells what was served; whether the monitor knows this replica, None where it couldn't be told."""
        actor = self._actor()
        if actor is None:
            return None
        try:
            known: bool = ray.get(actor.observe.remote(self.replica, windows, gauges), timeout=2 * _MONITOR_TIMEOUT_S)
        except (ray.exceptions.RayError, ray.exceptions.GetTimeoutError):
            return None
        return known

    def leave(self) -> None:
        """Tells that this replica is gone."""
        actor = self._actor()
        if actor is not None:
            actor.left.remote(self.replica)

    async def metrics(self, headers: Mapping[str, str]) -> Reply:
        """What Prometheus is shown: of all replicas, as the monitor knows it. Raises `Problem` 503 where it's away."""
        actor = await asyncio.to_thread(self._actor)
        try:
            if actor is None:
                raise TimeoutError
            metrics = await asyncio.wait_for(actor.metrics.remote(), _MONITOR_TIMEOUT_S)
        except (ray.exceptions.RayError, TimeoutError):
            raise busy(503, "monitor-away", "the monitor, which counts for all replicas, is away", 5) from None
        return Reply(200, *render(metrics, headers.get("accept", "")))

    def _actor(self) -> Any:
        try:
            return ray.get_actor(self._settings.monitor, namespace=self._settings.namespace)
        except ValueError:
            return None


class Flushing:
    """Takes what was served to the monitor and to Ray's metrics; what the monitor doesn't acknowledge is sent again."""

    def __init__(self, service: Service, link: Link, tell_again: Callable[[], None]) -> None:
        self._service = service
        self._link = link
        self._tell_again = tell_again
        self._lock = threading.Lock()
        self._is_over = False
        self._unsent: list[Window] = []
        self._counters = {
            counter.name: Counter(counter.name, counter.help, tag_keys=(*COMMON, *counter.labels))
            for counter in COUNTERS
        }

    def flush(self, *, is_last: bool = False) -> None:
        """Sends what there is; is_last: with what was seen up to now, as nothing is under way any more."""
        with self._lock:
            if self._is_over:  # another word would make the monitor believe that the replica is back
                return
            self._is_over = is_last
            windows = self._service.take_windows(is_last=is_last)
            for name, labels, value in deltas(self._service.name, windows):
                self._counters[name].inc(value, labels)
            self._unsent = _merged([*self._unsent, *windows])
            is_known = self._link.observe(self._unsent, self._service.gauges())
            if is_known is None:
                return
            self._unsent = []
            if not is_known:  # a monitor that was started anew
                self._tell_again()


@serve.ingress()
class Replica:
    """Serves one model over HTTP."""

    def __init__(self, settings: ReplicaSettings) -> None:
        _bind_loopback()
        _log_beside_serve()
        sys.setswitchinterval(_SWITCH_INTERVAL_S)
        set_threads(settings.num_threads)
        storage = Storage(settings.storage)
        link = Link(settings)
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
        self._repeat(self._flushing.flush, self._settings.flush_interval_s)
        if not self._tokens.is_open:
            self._repeat(self._revoke, READ_EVERY_S)

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


def _merged(windows: Iterable[Window]) -> list[Window]:
    """Windows by version and part, so that a monitor that is away costs memory for one window each."""
    merged: dict[Any, Window] = {}
    for window in windows:
        known = merged.get(window.key)
        merged[window.key] = known.merge(window) if known else window
    return list(merged.values())


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
