"""`Admission`: how much a replica takes on at once. More is refused at once, so that what is taken is soon done.

A request holds its place from before its body is read until its answer is written, and the bytes of its body with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from distml.serve.wire import Problem, busy

RETRY_AFTER_S = 1


class Place:
    """One request's place, and the bytes that it holds."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self.num_bytes = 0

    def hold(self, num_bytes: int) -> None:
        """Takes room for so many bytes more. Raises `Problem` 503 where all requests together hold too many."""
        admission = self._admission
        if admission.num_bytes + num_bytes > admission.max_bytes:
            raise overloaded("the bodies of the requests under way fill the memory that they may")
        self.num_bytes += num_bytes
        admission.num_bytes += num_bytes


class Admission:
    """The places of one replica. For one thread, its event loop.

    max_requests: under way at once. max_bytes: of their bodies together.
    """

    def __init__(self, *, max_requests: int, max_bytes: int) -> None:
        self.max_requests = max_requests
        self.max_bytes = max_bytes
        self.num_requests = 0
        self.num_bytes = 0

    @contextmanager
    def place(self) -> Iterator[Place]:
        """A place for one request. Raises `Problem` 503 where none is free."""
        if self.num_requests >= self.max_requests:
            raise overloaded(f"{self.max_requests} requests wait here already")
        place = Place(self)
        self.num_requests += 1
        try:
            yield place
        finally:
            self.num_requests -= 1
            self.num_bytes -= place.num_bytes


def overloaded(detail: str) -> Problem:
    """A 503 that says when to come again."""
    return busy(503, "overloaded", detail, RETRY_AFTER_S)
