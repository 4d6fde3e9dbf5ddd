"""A client that asks at a steady pace, whatever else goes on, and notes what came of each request and how late."""

from __future__ import annotations

import contextlib
import http.client
import statistics
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request. status: 0 where the connection broke; milliseconds: from when it was due; ended_at: by the
    monotonic clock; is_told_when: whether the answer has `Retry-After`."""

    status: int
    milliseconds: float
    ended_at: float
    is_told_when: bool


class Paced:
    """Posts one body `rate` times a second, by clients that each keep a connection, until it is left."""

    def __init__(self, url: str, body: bytes, *, rate: float, clients: int = 8) -> None:
        self.asked: list[Asked] = []
        self._url, self._body = urlsplit(url), body
        self._every_s = clients / rate
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._ask, args=(number * self._every_s / clients,)) for number in range(clients)
        ]

    def _ask(self, first_s: float) -> None:
        connection = http.client.HTTPConnection(self._url.hostname or "", self._url.port, timeout=30)
        due = time.monotonic() + first_s
        while not self._stop.wait(max(0.0, due - time.monotonic())):
            status, is_told_when = self._one(connection)
            ended_at = time.monotonic()
            self.asked.append(
                Asked(status=status, milliseconds=1000 * (ended_at - due), ended_at=ended_at, is_told_when=is_told_when)
            )
            due += self._every_s

    def _one(self, connection: http.client.HTTPConnection) -> tuple[int, bool]:
        try:
            connection.request("POST", self._url.path, self._body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            answer.read()
        except (http.client.HTTPException, OSError):
            connection.close()
            return 0, False
        return answer.status, answer.headers["Retry-After"] is not None

    def __enter__(self) -> Paced:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()


@contextlib.contextmanager
def beside(url: str, body: bytes, rate: float) -> Iterator[list[Asked]]:
    """What is asked while the block runs."""
    with Paced(url, body, rate=rate) as paced:
        yield paced.asked


def statuses(asked: Sequence[Asked]) -> Counter[int]:
    return Counter(one.status for one in asked)


def p99_ms(asked: Sequence[Asked], status: int = 200) -> float:
    """Of the requests with one status."""
    times = [one.milliseconds for one in asked if one.status == status]
    return statistics.quantiles(times, n=100)[98] if len(times) > 1 else float("nan")
