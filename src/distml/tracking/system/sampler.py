"""How busy the driver's machine is, now and then, as metrics of the run."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType

from distml.config.tracking import TrackingConfig
from distml.tracking.base import Point
from distml.tracking.entries import Log, log, now_ms

Read = Callable[[], Mapping[str, float]]


class Sampler:
    """A context in which a thread puts down a reading every `interval_s`; steps are whole seconds since `since_s`.

    read: None for a sampler that does nothing.
    """

    def __init__(self, read: Read | None, put: Callable[[Log], None], *, interval_s: float, since_s: float) -> None:
        self._read = read
        self._put = put
        self._interval_s = interval_s
        self._since_s = since_s
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._work, name="distml-system", daemon=True)

    @classmethod
    def of(cls, config: TrackingConfig, put: Callable[[Log], None], since_s: float) -> Sampler:
        """As the config says. Raises `UsageError` where what reads the machine isn't installed."""
        read = None
        if config.system_metrics:
            from distml.tracking.system.mlflow import system_reader

            read = system_reader()
        return cls(read, put, interval_s=config.system_interval_s, since_s=since_s)

    def __enter__(self) -> Sampler:
        if self._read is not None:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over.set()
        if self._read is not None:
            self._thread.join()

    def _work(self) -> None:
        assert self._read is not None
        while not self._is_over.wait(self._interval_s):
            now, step = now_ms(), int(time.time() - self._since_s)
            self._put(log(points=[Point(name, value, step, now) for name, value in self._read().items()]))
