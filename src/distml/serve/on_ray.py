"""The service as replicas of one Ray Serve deployment: no second hop, versions change inside the replica.

`reconfigure` only records which version is wanted. A thread beside the traffic loads it, replays its golden rows,
swaps it in and tells the monitor; a version that fails any of this is refused and the one before goes on answering.
"""

from __future__ import annotations

import asyncio
import os
import threading
from dataclasses import asdict, dataclass
from typing import Any

from ray import serve
from starlette.requests import Request
from starlette.responses import Response

from distml import code
from distml.config import RunConfig
from distml.config.serve import ServeConfig
from distml.errors import DistmlError
from distml.predictor import Predictor
from distml.serve.service import Service
from distml.serve.traffic import Deployed, Traffic
from distml.serve.wire import Limits
from distml.storage import Storage
from distml.window import Window


@dataclass(frozen=True, kw_only=True)
class ReplicaSettings:
    """What a replica is told once; a change of these replaces the replicas."""

    name: str
    storage: str
    monitor: str  # name of the monitoring actor
    namespace: str
    flush_interval_s: float
    limits: Limits


def settings_of(config: RunConfig, storage_root: str, *, monitor: str, namespace: str) -> ReplicaSettings:
    """What a config tells its replicas. monitor, namespace: of the monitoring actor."""
    serve = config.serve
    return ReplicaSettings(
        name=config.name,
        storage=storage_root,
        monitor=monitor,
        namespace=namespace,
        flush_interval_s=config.monitor.flush_interval_s,
        limits=Limits(max_rows=serve.max_rows, max_body_bytes=int(serve.max_body_mb * (1 << 20))),
    )


class Replica:
    """Serves one model over HTTP."""

    def __init__(self, settings: ReplicaSettings) -> None:
        self._settings = settings
        self._storage = Storage(settings.storage)
        self._service = Service(settings.name, settings.limits)
        self._wanted: Traffic | None = None
        self._changed = threading.Event()
        self._unsent: list[Window] = []
        self._id = f"{os.uname().nodename}-{os.getpid()}"
        _one_thread()
        _bind_loopback()
        for work in (self._follow, self._flush):
            threading.Thread(target=work, daemon=True).start()

    async def reconfigure(self, config: dict[str, Any]) -> None:
        """Notes the wanted version. A new replica loads before it is ready; a running one beside its traffic."""
        self._wanted = traffic = Traffic.from_dict(config)
        if self._service.version is None:
            await asyncio.to_thread(self._load_first, traffic)
        self._changed.set()

    async def __call__(self, request: Request) -> Response:
        headers = request.headers
        body = await self._read(request)
        if body is None:
            reply = self._service.too_large(headers)
        else:
            path = request.scope["path"].removeprefix(request.scope["root_path"])
            reply = self._service.handle(request.method, path, headers, body)
        return Response(reply.body, reply.status, reply.headers, reply.content_type)

    async def _read(self, request: Request) -> bytes | None:
        """The body, or None once it is longer than allowed."""
        limit = self._settings.limits.max_body_bytes
        announced = request.headers.get("content-length", "0")
        if announced.isdigit() and int(announced) > limit:
            return None
        chunks: list[bytes] = []
        size = 0
        async for chunk in request.stream():
            size += len(chunk)
            if size > limit:
                return None
            chunks.append(chunk)
        return b"".join(chunks)

    def _load_first(self, traffic: Traffic) -> None:
        """The wanted version, or the last good one when that can't be loaded."""
        try:
            self._load(traffic, traffic.main)
        except DistmlError as error:
            self._tell(traffic.main.version, str(error))
            if traffic.last_good is None:
                raise
            self._load(traffic, traffic.last_good)

    def _follow(self) -> None:
        """Brings the replica to the wanted version whenever that changes."""
        while self._changed.wait():
            self._changed.clear()
            traffic = self._wanted
            assert traffic is not None, "set before the event"
            wanted = traffic.main.version
            if wanted == self._service.version:
                self._tell(wanted, None)
                continue
            try:
                self._load(traffic, traffic.main)
            except DistmlError as error:
                self._tell(wanted, str(error))
            except Exception as error:  # noqa: BLE001 - whatever refuses a version, the next one is loaded
                self._tell(wanted, f"{type(error).__name__}: {error}")

    def _load(self, traffic: Traffic, deployed: Deployed) -> None:
        code.allow(traffic.allow_code)
        with self._storage.local_folder(deployed.package) as folder:
            predictor = Predictor.load(folder)
        self._service.swap(deployed.version, predictor)
        self._tell(deployed.version, None)

    def _tell(self, version: int, error: str | None) -> None:
        monitor = self._monitor()
        if monitor is not None:
            monitor.loaded.remote(self._id, version, self._service.version, error)

    def _flush(self) -> None:
        """Sends what was served; what the monitor hasn't acknowledged is sent again."""
        import ray

        wait = threading.Event()
        while not wait.wait(self._settings.flush_interval_s):
            self._unsent = _merged(self._unsent, self._service.take_windows())
            monitor = self._monitor() if self._unsent else None
            if monitor is None:
                continue
            try:
                ray.get(monitor.observe.remote(self._id, self._unsent), timeout=10)
            except (ray.exceptions.RayError, ray.exceptions.GetTimeoutError):
                continue
            self._unsent = []

    def _monitor(self) -> Any:
        import ray

        try:
            return ray.get_actor(self._settings.monitor, namespace=self._settings.namespace)
        except ValueError:
            return None  # not up (again) yet: windows are kept until it is


def _merged(windows: list[Window], more: list[Window]) -> list[Window]:
    """Windows by version, so that a monitor that is away costs memory for one window each."""
    by_version = {window.version: window for window in windows}
    for window in more:
        known = by_version.get(window.version)
        by_version[window.version] = known.merge(window) if known else window
    return list(by_version.values())


def _one_thread() -> None:
    """A replica answers one request at a time; more threads would only fight over its CPU."""
    import torch

    torch.set_num_threads(1)


def _bind_loopback() -> None:
    """Serve writes `[::]:0` into its code for the port on which other deployments would call this one; none does."""
    from ray.serve._private import replica

    add = replica.add_port_to_grpc_server
    replica.add_port_to_grpc_server = lambda server, address: add(server, "127.0.0.1:0")


def application(settings: ReplicaSettings, config: ServeConfig, traffic: Traffic) -> Any:
    """The Serve application. Deployed again with another `traffic` alone, its replicas stay and swap."""
    code = repr(sorted(asdict(settings).items()))  # Serve draws a code version at random where none is given
    deployment = serve.deployment(
        Replica,
        name="Replica",
        ray_actor_options={"num_cpus": config.num_cpus, "num_gpus": config.num_gpus},
        max_ongoing_requests=64,
        max_queued_requests=1024,
        autoscaling_config=config.autoscaling.serve_options(),
        user_config=traffic.to_dict(),
        # A successor starts before its predecessor stops, also where there is only one replica.
        max_surge_percent=100,
        graceful_shutdown_wait_loop_s=0.2,
        graceful_shutdown_timeout_s=10,
        health_check_period_s=2,
    )
    return deployment.options(version=code, _internal=True).bind(settings)
