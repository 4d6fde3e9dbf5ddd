"""The monitor as a named, detached actor: one per model, restarted by Ray when its process dies."""

from __future__ import annotations

from typing import Any

import ray

from distml.config import MonitorConfig
from distml.monitor.monitor import Monitor


def actor_name(name: str) -> str:
    """What a model's monitoring actor is called."""
    return f"distml-monitor-{name}"


def start(name: str, config: MonitorConfig, namespace: str) -> Any:
    """The model's monitoring actor, started if it isn't there."""
    options = {"name": actor_name(name), "namespace": namespace, "lifetime": "detached", "num_cpus": 0}
    actor = ray.remote(Monitor).options(max_restarts=-1, get_if_exists=True, **options)
    return actor.remote(
        name,
        window_rows=config.window_rows,
        false_alarm_rate=config.false_alarm_rate,
        min_effect=config.min_effect,
        flush_interval_s=config.flush_interval_s,
    )
