"""`Counts`: how many requests a version had, how they ended and how long they took. Merging is exact."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from distml.window.histogram import Histogram

# Upper bounds of latency buckets in milliseconds; a factor of about 1.5 apart, so a quantile errs by at most that.
LATENCY_EDGES_MS = (
    0.5, 0.75, 1, 1.5, 2, 3, 5, 7.5, 10, 15, 20, 30, 50, 75, 100, 150, 200, 300, 500, 750, 1000, 2000, 5000
)  # fmt: skip
LATENCY_EDGES_US = tuple(int(1000 * edge) for edge in LATENCY_EDGES_MS)
BATCH_EDGES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
MAX_NAMES = 100  # of columns that clients make up and that are counted each by its name
OTHERS = "(others)"


@dataclass(kw_only=True)
class Counts:
    """requests: that ended, however; faults: those among them that the version failed, not the client; errors: problem
    kind -> requests that weren't answered; ignored: column that the schema doesn't have -> rows, and absent: optional
    column that was missing -> rows, at most `MAX_NAMES` names each and `OTHERS`; unsummarised: rows that were answered
    and are in no summary, as there were too many at once.

    latency: microseconds of each request; waits: microseconds that each waited for its batch; batches: requests in
    each call of the model. compared: rows that a shadow was asked, too; skipped: requests that it wasn't, being busy;
    differing: rows to which it gave another answer; difference and max_difference: sum and maximum of the absolute
    differences of the scores.
    """

    requests: int = 0
    rows: int = 0
    faults: int = 0
    errors: dict[str, int] = field(default_factory=dict)
    ignored: dict[str, int] = field(default_factory=dict)
    absent: dict[str, int] = field(default_factory=dict)
    unsummarised: int = 0
    latency: Histogram = field(default_factory=lambda: Histogram(LATENCY_EDGES_US))
    waits: Histogram = field(default_factory=lambda: Histogram(LATENCY_EDGES_US))
    batches: Histogram = field(default_factory=lambda: Histogram(BATCH_EDGES))
    compared: int = 0
    skipped: int = 0
    differing: int = 0
    difference: float = 0.0
    max_difference: float = 0.0

    @property
    def is_empty(self) -> bool:
        return not (self.requests or self.rows or self.compared or self.skipped)

    def request(self, milliseconds: float, problem: str | None = None, *, is_fault: bool = False) -> None:
        """Adds one request that ended, by the problem's kind where it wasn't answered; is_fault: the version failed,
        not the client."""
        self.requests += 1
        self.latency.add(round(1000 * milliseconds))
        if problem is not None:
            self.errors[problem] = self.errors.get(problem, 0) + 1
            self.faults += is_fault

    def include(self, other: Counts) -> None:
        """Adds all that another has."""
        for known in fields(Counts):
            mine, more = getattr(self, known.name), getattr(other, known.name)
            if isinstance(mine, Histogram):
                mine.include(more)
            else:
                setattr(self, known.name, _JOINED.get(known.name, _sum)(mine, more))

    def latency_ms(self, q: float) -> float | None:
        """The upper end of the bucket that a latency quantile (q above 0) lies in, in milliseconds, at most 5,000;
        None without requests."""
        microseconds = self.latency.quantile(q)
        return None if microseconds is None else microseconds / 1000

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: histograms as counts per bucket, of `LATENCY_EDGES_MS` and `BATCH_EDGES` and one above;
        mean_difference in the place of its sum; mean_batch: requests in a call of the model."""
        plain: dict[str, Any] = {known.name: getattr(self, known.name) for known in fields(Counts)}
        for name in ("latency", "waits", "batches"):
            plain[name] = list(plain[name].counts)
        calls = self.batches.num_added
        plain["mean_batch"] = self.batches.total / calls if calls else None
        plain["mean_difference"] = plain.pop("difference") / self.compared if self.compared else None
        return plain | {"latency_ms": {"p50": self.latency_ms(0.5), "p99": self.latency_ms(0.99)}}


def added(a: dict[str, int], b: dict[str, int]) -> dict[str, int]:
    """Two counts by name together. Of more than `MAX_NAMES` names the first ones of the alphabet are kept, and the
    rest counted as `OTHERS`: a choice that is the same in whatever order counts are added.

    >>> added({"a": 1, "b": 2}, {"b": 3})
    {'a': 1, 'b': 5}
    """
    total = dict(a)
    for name, count in b.items():
        total[name] = total.get(name, 0) + count
    if len(total) <= MAX_NAMES:
        return total
    rest = total.pop(OTHERS, 0)
    names = sorted(total)
    kept = {name: total[name] for name in names[:MAX_NAMES]}
    return kept | {OTHERS: rest + sum(total[name] for name in names[MAX_NAMES:])}


def _sum(a: Any, b: Any) -> Any:
    return a + b


_JOINED: dict[str, Any] = {"errors": added, "ignored": added, "absent": added, "max_difference": max}
