"""A keeper without a cluster: replicas that do at once what they are asked, and a thread that looks."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Iterator

from distml.lifecycle.serving.keeper import Keeper
from distml.serve.rollout.advance import Sight
from distml.serve.rollout.evidence import Totals
from distml.serve.rollout.rollout import Rollout
from distml.storage import Storage


class Replicas:
    """A service whose replicas do at once what they are asked, and answer as many requests per second as they are
    told; a share `faulty` of the new version's fail, from a time on. Time passes with each look."""

    def __init__(self, faulty: float = 0.0, refused: str | None = None, faulty_from: float = 0.0) -> None:
        self.faulty, self.refused, self.faulty_from = faulty, refused, faulty_from
        self.faults: Counter[int] = Counter()
        self.now = 1000.0
        self.applied: list[Rollout] = []
        self.mirrored: list[int] = []
        self.requests: Counter[int] = Counter()
        self.is_served = True

    def is_there(self):
        return self.is_served

    def apply(self, rollout):
        self.applied.append(rollout)

    def look(self, rollout):
        self.now += 1
        percent = self.applied[-1].percent if self.applied else 0.0
        new, old = rollout.challenger.version, rollout.before.version if rollout.before is not None else 0
        self.requests[new] += percent
        self.requests[old] += 100 - percent
        self.faults[new] += percent * self.faulty if self.now >= self.faulty_from else 0.0
        totals = {
            version: Totals(requests=int(self.requests[version]), faults=int(self.faults[version]))
            for version in self.requests
        }
        return Sight(totals=totals, is_loaded=True, refused=None if rollout.is_over else self.refused)

    def mirror(self, version):
        self.mirrored.append(version.number)

    @property
    def main(self):
        return self.applied[-1].main.version


@contextlib.contextmanager
def keeping(storage: Storage, name: str, replicas: Replicas) -> Iterator[None]:
    """A model's keeper at work."""
    keeper = Keeper(storage, name, replicas, clock=lambda: replicas.now)
    stop = threading.Event()

    def look_on() -> None:
        while not stop.wait(0.005):
            keeper.look()

    thread = threading.Thread(target=look_on)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
