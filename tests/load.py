"""A steady load of requests that counts every answer, and every one that didn't come."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx

AGAIN = (429, 502, 503, 504)
Versions = Counter[int]


class Load:
    """Posts one body again and again from several threads, each on a connection that it keeps, until it is left; asks
    by GET without a body.

    outcomes: answers by status, and by the error's name where a connection broke; versions: those that answered, by the
    number of their answers; failures: when each request failed, and how. retries: how often a request is sent again, as
    docs/serving/clients.md tells clients to; none by default.
    """

    def __init__(self, url: str, body: Any = None, *, threads: int = 4, retries: int = 0) -> None:
        self.outcomes: Counter[int | str] = Counter()
        self.versions: Versions = Counter()
        self.failures: list[str] = []
        self._url, self._body, self._retries = url, body, retries
        self._heard = threading.Condition()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._post) for _ in range(threads)]

    @property
    def num_requests(self) -> int:
        return self.outcomes.total()

    def _post(self) -> None:
        with httpx.Client(timeout=30) as client:
            while not self._stop.is_set():
                outcome, told = self._answer(client)
                with self._heard:
                    self.outcomes[outcome] += 1
                    if outcome == 200:
                        self.versions[told] += 1
                    else:
                        self.failures.append(f"{time.time():.3f} {outcome}: {str(told)[:200]}")
                    self._heard.notify_all()

    def _answer(self, client: httpx.Client) -> tuple[int | str, Any]:
        """The outcome of one request, and the version that answered it or what went wrong."""
        for attempt in range(self._retries + 1):
            wait_s = min(0.1 * 2**attempt, 5)
            try:
                answer = client.request("POST" if self._body else "GET", self._url, json=self._body)
            except httpx.TransportError as error:
                outcome: tuple[int | str, Any] = (type(error).__name__, error)
            else:
                if answer.status_code == 200:
                    return 200, answer.json()["model"]["version"]
                outcome = (answer.status_code, answer.text)
                if answer.status_code not in AGAIN:
                    return outcome
                wait_s = float(answer.headers.get("Retry-After", wait_s))
            if attempt < self._retries:
                self._stop.wait(wait_s)
        return outcome

    def wait_for(self, condition: Callable[[Versions], bool], timeout_s: float = 60) -> None:
        """Until a condition holds of how often each version answered since this call."""
        with self._heard:
            self.versions.clear()
            assert self._heard.wait_for(lambda: condition(self.versions), timeout=timeout_s), self.versions

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        alive = all(thread.is_alive() for thread in self._threads)
        self._stop.set()
        for thread in self._threads:
            thread.join()
        assert alive, "a client failed by itself"


def often(version: int, num: int = 20) -> Callable[[Versions], bool]:
    """The condition that a version has answered so often."""
    return lambda versions: versions[version] >= num
