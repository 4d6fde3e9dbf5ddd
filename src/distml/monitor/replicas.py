"""`Replicas`: who serves a model, as they told it themselves, and when their number changed."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

KEPT_CHANGES = 20


class Replicas:
    """silent_s: seconds after which a replica that says nothing isn't counted any more; it is forgotten after as long
    again, so that a service which scales up and down doesn't list its dead. Times are seconds since 1970."""

    def __init__(self, silent_s: float) -> None:
        self.silent_s = silent_s
        self.known: dict[str, dict[str, Any]] = {}
        self.changes: deque[dict[str, Any]] = deque(maxlen=KEPT_CHANGES)
        self._num_alive = 0

    def loaded(
        self,
        replica: str,
        now: float,
        *,
        asked_at: float,
        versions: Sequence[int],
        main: int | None,
        errors: Mapping[int, str],
    ) -> None:
        """What a replica holds since the wish of `asked_at`: versions, the main one of them, refusals by version."""
        told = {"asked_at": asked_at, "versions": sorted(versions), "main": main, "errors": dict(errors)}
        gauges = self.known.get(replica, {}).get("gauges", {})
        self.known[replica] = {**told, "at": now, "heard_at": now, "gauges": gauges}
        self.note(now)

    def heard(self, replica: str, now: float, gauges: Mapping[str, float] | None) -> bool:
        """A replica is there; False when it isn't known what it holds, as in a monitor that was started anew."""
        known = self.known.get(replica)
        if known is not None:
            known["heard_at"] = now
            known["gauges"] = dict(gauges or {})
        self.note(now)
        return known is not None

    def left(self, replica: str, now: float) -> None:
        """A replica said that it ends."""
        self.known.pop(replica, None)
        self.note(now)

    def alive(self, now: float) -> dict[str, dict[str, Any]]:
        return {name: told for name, told in self.known.items() if now - told["heard_at"] <= self.silent_s}

    def note(self, now: float) -> None:
        """Forgets whoever is long silent, and notes a change of the number that is alive."""
        self.known = {name: told for name, told in self.known.items() if now - told["heard_at"] <= 2 * self.silent_s}
        num_alive = len(self.alive(now))
        if num_alive != self._num_alive:
            ongoing = self.gauge("ongoing", now)
            self.changes.append({"at": now, "from": self._num_alive, "to": num_alive, "ongoing": ongoing})
            self._num_alive = num_alive

    def gauge(self, name: str, now: float) -> float:
        """The sum of a gauge over the replicas that are alive."""
        return sum(told["gauges"].get(name, 0.0) for told in self.alive(now).values())
