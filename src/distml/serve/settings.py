"""`ReplicaSettings`: what a config tells each replica of its model's service."""

from __future__ import annotations

import math
from dataclasses import dataclass

from distml.config import RunConfig
from distml.serve.terms import Terms
from distml.serve.wire import Limits


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
