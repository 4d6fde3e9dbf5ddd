"""A replica's link to its model's monitor: what it loaded and served goes there, what all counted comes back."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import ray
from ray.util.metrics import Counter

from distml.serve.counting.counters import COMMON, COUNTERS, deltas
from distml.serve.counting.prometheus import render
from distml.serve.service import Service
from distml.serve.versions.versions import Report
from distml.serve.wire import Reply, busy
from distml.window import Window

_MONITOR_TIMEOUT_S = 5.0


class Link:
    """A replica's side of the talk. The monitor may be away: it comes back. monitor, namespace: of its actor."""

    def __init__(self, monitor: str, namespace: str) -> None:
        self.replica = f"{os.uname().nodename}-{os.getpid()}"
        self._monitor = monitor
        self._namespace = namespace

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
            return ray.get_actor(self._monitor, namespace=self._namespace)
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


def _merged(windows: Iterable[Window]) -> list[Window]:
    """Windows by version and part, so that a monitor that is away costs memory for one window each."""
    merged: dict[Any, Window] = {}
    for window in windows:
        known = merged.get(window.key)
        merged[window.key] = known.merge(window) if known else window
    return list(merged.values())
