"""The table: what each side did, and the ratios that are wanted."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from serving.load import Measured

Found = Mapping[tuple[str, str], Sequence[Measured]]  # by side and case, one per round


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A bound for `of` divided by `by`, each (side, case)."""

    of: tuple[str, str]
    by: tuple[str, str]
    least_rate: float | None = None  # rows per second
    most_p99: float | None = None
    most_cpu: float | None = None


_ONE = ("1 row, c=1", "1 row, c=16", "1 row, c=64")
WANTED = (
    *(
        Wanted(of=("distml", case), by=("by_hand", case), least_rate=rate, most_p99=p99)
        for case, rate, p99 in zip(_ONE, (0.6, 1.0, 1.25), (4, 1.3, 1), strict=True)
    ),
    Wanted(of=("distml", "1,000 rows, JSON"), by=("by_hand", "1,000 rows, JSON"), least_rate=0.9),
    Wanted(of=("distml", "1,000 rows, Arrow"), by=("by_hand", "1,000 rows, JSON"), least_rate=4),
    *(Wanted(of=("distml", case), by=("mlflow", case), least_rate=5) for case in _ONE),
    *(Wanted(of=("distml", case), by=("unwatched", case), least_rate=0.95, most_cpu=1.05) for case in _ONE),
)


def tell(found: Found) -> None:
    print(f"\n{'':<20}{'':<11}{'requests/s':>22}{'rows/s':>10}{'cpu ms':>9}{'p50 ms':>9}{'p99 ms':>9}")
    for case in dict.fromkeys(case for _, case in found):
        for side in dict.fromkeys(side for side, _ in found):
            if (side, case) in found:
                print(f"{case:<20}{side:<11}{_line(found[side, case])}")
    print(f"\n{'ratios':<48}{'found':>22}{'wanted':>10}")
    for wanted in WANTED:
        if wanted.of in found and wanted.by in found:
            _tell_ratios(found, wanted)


def _line(measured: Sequence[Measured]) -> str:
    rates = [one.requests_per_s for one in measured]
    spread = f"{statistics.median(rates):,.0f} ({min(rates):,.0f} to {max(rates):,.0f})"
    rows = statistics.median(one.rows_per_s for one in measured)
    times = [statistics.median(getattr(one, name) for one in measured) for name in ("cpu_ms", "p50_ms", "p99_ms")]
    return f"{spread:>22}{rows:>10,.0f}" + "".join(f"{time:>9.2f}" for time in times)


def _tell_ratios(found: Found, wanted: Wanted) -> None:
    if wanted.least_rate is not None:
        _tell_ratio(found, wanted, "rows/s", lambda one: one.rows_per_s, least=wanted.least_rate)
    if wanted.most_p99 is not None:
        _tell_ratio(found, wanted, "p99", lambda one: one.p99_ms, most=wanted.most_p99)
    if wanted.most_cpu is not None:
        _tell_ratio(found, wanted, "cpu", lambda one: one.cpu_ms, most=wanted.most_cpu)


def _tell_ratio(
    found: Found, wanted: Wanted, what: str, value: Callable[[Measured], float], *, least: float = 0.0,
    most: float = math.inf,
) -> None:  # fmt: skip
    """A line: the ratio of the medians, the least and the most of one round, and what is wanted."""
    ours, theirs = ([value(one) for one in found[key]] for key in (wanted.of, wanted.by))
    rounds = [a / b for a, b in zip(ours, theirs, strict=True)]
    ratio = statistics.median(ours) / statistics.median(theirs)
    label = f"{wanted.of[1]}, {what}: {wanted.of[0]} / {wanted.by[0]}"
    spread = f"{ratio:.2f} ({min(rounds):.2f} to {max(rounds):.2f})"
    bound = f">= {least:g}" if most == math.inf else f"<= {most:g}"
    print(f"{label:<48}{spread:>22}{bound:>10}  {'' if least <= ratio <= most else 'not met'}".rstrip())
