"""`Worker`: one thread for what would keep small requests waiting: tables, many rows, a shadow's predictions.

numpy, pyarrow and torch let go of the interpreter while they compute, so the event loop goes on answering beside it.
More threads would only take turns on the CPUs that the replica reserved.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


class Busy(Exception):
    """As many wait for the worker as may."""


class Worker:
    """Runs one thing after the other, beside one event loop."""

    def __init__(self, *, max_waiting: int) -> None:
        self._max_waiting = max_waiting
        self._num_waiting = 0
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="worker")

    @property
    def num_waiting(self) -> int:
        """How much was handed in that hasn't ended yet."""
        return self._num_waiting

    async def run(self, work: Callable[[], T], deadline: float = float("inf")) -> T:
        """What `work` returns or raises. deadline: by the event loop's clock.

        Raises `Busy` at once when too much waits, and `TimeoutError` at the deadline. What hasn't begun by then, or
        when its caller is cancelled, never begins.
        """
        if self._num_waiting >= self._max_waiting:
            raise Busy
        loop = asyncio.get_running_loop()
        job = self._pool.submit(work)
        self._num_waiting += 1
        # When the work has ended, not its caller: a thread can't be interrupted.
        job.add_done_callback(lambda _: loop.call_soon_threadsafe(self._ended))
        async with asyncio.timeout_at(None if deadline == float("inf") else deadline):
            return await asyncio.wrap_future(job)

    def _ended(self) -> None:
        self._num_waiting -= 1

    def close(self) -> None:
        """Begins nothing more; what is under way ends by itself."""
        self._pool.shutdown(wait=False, cancel_futures=True)
