"""What is counted of a version's requests, by name and labels: for Prometheus from totals, for Ray's metrics from what
each window adds. The table in docs/serving/metrics.md says what each means."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from distml.window import Counts, Window

COMMON = ("model", "version", "role")
"""Labels of every counter. role: `live` of callers' requests, `shadow` of those that a version only heard."""
SHADOW = "shadow"


@dataclass(frozen=True, kw_only=True)
class Counter:
    """name: without the `_total` that Prometheus asks for; labels: beside `COMMON`; read: label values -> count;
    of_shadow: counted of shadows alone."""

    name: str
    help: str
    labels: tuple[str, ...] = ()
    read: Callable[[Counts], Mapping[tuple[str, ...], float]]
    of_shadow: bool = False


def common_labels(model: str, version: int, is_shadow: bool) -> tuple[str, str, str]:
    return model, str(version), SHADOW if is_shadow else "live"


def deltas(model: str, windows: Iterable[Window]) -> list[tuple[str, dict[str, str], float]]:
    """What windows add to counters: name, labels and a value above zero."""
    return [
        (counter.name, dict(zip((*COMMON, *counter.labels), (*common, *values), strict=True)), count)
        for window in windows
        for common in (common_labels(model, window.version, window.is_shadow),)
        for counter in COUNTERS
        for values, count in counter.read(window).items()
        if count
    ]


def _outcomes(counts: Counts) -> dict[tuple[str, ...], float]:
    unanswered = sum(counts.errors.values())
    return {
        ("answered",): counts.requests - unanswered,
        ("refused",): unanswered - counts.faults,
        ("failed",): counts.faults,
    }


def _by_name(field: str) -> Callable[[Counts], Mapping[tuple[str, ...], float]]:
    return lambda counts: {(name,): count for name, count in getattr(counts, field).items()}


def _alone(read: Callable[[Counts], float]) -> Callable[[Counts], Mapping[tuple[str, ...], float]]:
    return lambda counts: {(): read(counts)}


COUNTERS = (
    Counter(
        name="distml_requests", help="requests that ended: answered, refused, or failed by the version",
        labels=("outcome",), read=_outcomes,
    ),
    Counter(
        name="distml_errors", help="requests that were not answered, by the type of their problem",
        labels=("problem",), read=_by_name("errors"),
    ),
    Counter(
        name="distml_faults", help="requests that the version failed, not the client",
        read=_alone(lambda counts: counts.faults),
    ),
    Counter(name="distml_rows", help="rows that were predicted", read=_alone(lambda counts: counts.rows)),
    Counter(
        name="distml_unsummarised_rows", help="rows that no window summarises, as there were too many at once",
        read=_alone(lambda counts: counts.unsummarised),
    ),
    Counter(
        name="distml_ignored_column_rows", help="rows with a column that the model does not read",
        labels=("column",), read=_by_name("ignored"),
    ),
    Counter(
        name="distml_absent_column_rows", help="rows without an optional column",
        labels=("column",), read=_by_name("absent"),
    ),
    Counter(
        name="distml_shadow_rows", help="rows whose answers by a shadow were compared with those given",
        of_shadow=True, read=_alone(lambda counts: counts.compared),
    ),
    Counter(
        name="distml_shadow_skipped_requests", help="requests that a shadow was not asked, being busy",
        of_shadow=True, read=_alone(lambda counts: counts.skipped),
    ),
    Counter(
        name="distml_shadow_differing_rows", help="rows to which a shadow would have given another answer",
        of_shadow=True, read=_alone(lambda counts: counts.differing),
    ),
    Counter(
        name="distml_shadow_score_difference", help="sum of the absolute differences of a shadow's scores",
        of_shadow=True, read=_alone(lambda counts: counts.difference),
    ),
)  # fmt: skip
