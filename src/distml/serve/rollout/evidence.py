"""Whether a version fails, or is slow, more often than it may: looked at every second, with a known chance of error.

A test made for a fixed number of requests, repeated each second, would find a fault in almost any version in the end.
`log_evidence` is a mixture of likelihood ratios, a martingale while the rate is what is allowed, so that the chance of
its *ever* exceeding 1/alpha is alpha at most (Ville 1939; Robbins, Annals of Mathematical Statistics 41, 1970). That
holds for requests that fail independently of each other.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from distml.config.rollout import RollbackConfig
from distml.window import LATENCY_EDGES_MS, LATENCY_EDGES_US, Histogram

# The chance that a version which keeps within what is allowed is rolled back, over a whole rollout.
ALPHA = 0.001
SLOW_SHARE = 0.01  # of requests may be slower than a 99th percentile
MIN_TIMED = 100  # requests before latency is judged: the first ones meet cold caches, all at once


@dataclass(frozen=True, kw_only=True)
class Totals:
    """What a version did in all, as its monitor counts it. latency: requests per bucket of `LATENCY_EDGES_MS` and one
    above; compared, differing: rows that it was asked as a shadow, and those that it answered otherwise."""

    requests: int = 0
    faults: int = 0
    latency: tuple[int, ...] = (0,) * (len(LATENCY_EDGES_MS) + 1)
    compared: int = 0
    differing: int = 0

    @classmethod
    def of(cls, total: Mapping[str, Any]) -> Totals:
        """One version's of `Monitor.totals`."""
        shadow = total["shadow"] or {}
        return cls(
            requests=total["requests"],
            faults=total["faults"],
            latency=tuple(total["latency"]),
            compared=shadow.get("compared", 0),
            differing=shadow.get("differing", 0),
        )

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Totals:
        return cls(**{**value, "latency": tuple(value["latency"])})

    def since(self, before: Totals) -> Totals | None:
        """What came since; None where totals shrank, as their monitor began anew."""
        if self.requests < before.requests or self.faults < before.faults or self.compared < before.compared:
            return None
        return Totals(
            requests=self.requests - before.requests,
            faults=self.faults - before.faults,
            latency=tuple(a - b for a, b in zip(self.latency, before.latency, strict=True)),
            compared=self.compared - before.compared,
            differing=self.differing - before.differing,
        )

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def slower_than(self, milliseconds: float) -> int:
        """Requests that took longer for certain: those in buckets that lie wholly above.

        >>> Totals(requests=1, latency=(*[0] * 23, 1)).slower_than(200)
        1
        """
        return sum(self.latency[bisect_left(LATENCY_EDGES_MS, milliseconds) + 1 :])

    @property
    def p99_ms(self) -> float | None:
        """The upper end of the bucket with the 99th percentile, at most the last edge; None without requests."""
        microseconds = Histogram(LATENCY_EDGES_US, list(self.latency)).quantile(0.99)
        return None if microseconds is None else microseconds / 1000


NOTHING = Totals()


def verdict(totals: Totals, allowed: RollbackConfig, look: int) -> str | None:
    """Why a version is to be rolled back for what it did in a stretch of time; None where nothing speaks against it.

    look: the stretch's number, from 1; each has the part 1/(look (look + 1)) of `ALPHA`, which sum to 1, and each of
    the two questions half of that.
    """
    limit = math.log(2 * look * (look + 1) / ALPHA)
    n = totals.requests
    if allowed.error_rate is not None and log_evidence(totals.faults, n, allowed.error_rate) > limit:
        return f"it failed {totals.faults:,} of {n:,} requests; {allowed.error_rate:.3g} of them may fail"
    if allowed.latency_p99_ms is not None and n >= MIN_TIMED:
        slow = totals.slower_than(allowed.latency_p99_ms)
        if log_evidence(slow, n, SLOW_SHARE) > limit:
            return f"{slow:,} of {n:,} requests took longer than {allowed.latency_p99_ms:g} ms; 1 % of them may"
    return None


def log_evidence(hits: int, n: int, rate: float) -> float:
    """The logarithm of the evidence that `hits` of `n` come from a rate above `rate`.

    The likelihood under every rate p above it, uniformly weighted, over that under the rate itself:
    integral of (p / rate)^hits ((1 - p) / (1 - rate))^(n - hits) dp / (1 - rate), which is an incomplete beta function.

    >>> [round(log_evidence(hits, 100, 0.01), 1) for hits in (0, 1, 5, 10)]
    [-4.6, -3.9, 1.2, 11.9]
    """
    if rate == 0:
        return math.inf if hits else 0.0
    from scipy.special import betaincc, betaln

    above = float(betaincc(hits + 1, n - hits + 1, rate))
    if above == 0:
        return -math.inf
    weight = float(betaln(hits + 1, n - hits + 1)) + math.log(above) - math.log1p(-rate)
    return weight - hits * math.log(rate) - (n - hits) * math.log1p(-rate)
