"""What the live table of a search is made from: its trials as they go, the best so far, the time left.

It is told what happened and when, and knows of no terminal. Times are seconds of one clock, whichever.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from distml.lifecycle.reporter import SearchTerms
    from distml.training import EpochResult
    from distml.tune import Candidate, TrialRecord
    from distml.tune.log import LoggedTrial

ENDS = ("finished", "pruned", "failed", "stopped")


@dataclass(kw_only=True)
class Row:
    """One trial. `score` is its best one; `seconds` what it had taken at `heard_at`."""

    number: int
    family: str
    params: Mapping[str, Any]
    heard_at: float
    state: str = "running"
    epoch: int = 0
    score: float | None = None
    seconds: float = 0.0

    def seconds_at(self, now: float) -> float:
        """What the trial has taken; one that runs has gone on since it was heard of."""
        return self.seconds + (now - self.heard_at if self.state == "running" else 0.0)


class Board:
    """A search that this process has watched since `now`."""

    def __init__(self, terms: SearchTerms, now: float) -> None:
        self.terms = terms
        self.best: Row | None = None  # of those that run or came to something
        self.curve: list[tuple[float, float]] = []  # when the best score became what
        self._began_at = now
        self._num_ended_here = 0
        self._running: dict[int, Row] = {}
        self._ended: dict[int, Row] = {}  # the latest last

    @property
    def running(self) -> list[Row]:
        """By number."""
        return [self._running[number] for number in sorted(self._running)]

    @property
    def ended(self) -> list[Row]:
        """The latest first."""
        return [*reversed(self._ended.values())]

    @property
    def counts(self) -> dict[str, int]:
        """Trials by how they ended; ways that none took are left out."""
        found = Counter(row.state for row in self._ended.values())
        return {state: found[state] for state in ENDS if found[state]}

    def recall(self, trial: LoggedTrial, now: float) -> None:
        """A trial of the search that was cut off, with what is known of it."""
        self.began(trial.candidate, now)
        if trial.epochs:
            self.epochs(trial.candidate.number, trial.epochs, now)
        if trial.record is not None:
            self._end(trial.record, now)

    def began(self, candidate: Candidate, now: float) -> None:
        row = Row(number=candidate.number, family=candidate.family, params=candidate.params, heard_at=now)
        self._running[candidate.number] = row

    def epochs(self, number: int, epochs: Sequence[EpochResult], now: float) -> None:
        row, last = self._running.get(number), epochs[-1]
        if row is None:  # its record came first
            return
        row.epoch, row.score, row.seconds, row.heard_at = last.epoch, last.best_score, last.seconds, now
        self._look(row, now)

    def end(self, record: TrialRecord, now: float) -> None:
        self._num_ended_here += 1
        self._end(record, now)

    def _end(self, record: TrialRecord, now: float) -> None:
        row = self._running.pop(record.number, None)
        if row is None:
            row = Row(number=record.number, family=record.family, params=record.params, heard_at=now)
        row.state, row.epoch, row.score, row.seconds = record.state, record.num_epochs, record.score, record.seconds
        self._ended[row.number] = row
        if row is self.best and not _counts(row):
            self.best = None
            for other in (*self._ended.values(), *self._running.values()):
                self._look(other, now)
        self._look(row, now)

    def _look(self, row: Row, now: float) -> None:
        """Notes a row whose score is the best so far."""
        if row.score is None or not _counts(row):
            return
        than = self.curve[-1][1] if self.best is not None else float("nan")
        if self.terms.metric.better(row.score, than):
            self.best = row
            self.curve.append((now, row.score))

    def elapsed_s(self, now: float) -> float:
        """How long the search has run, in this process and those before."""
        return self.terms.elapsed_s + now - self._began_at

    def left_s(self, now: float) -> float | None:
        """How long the search may take yet: until its trials are done at the pace so far, or its budget is spent.

        Pace is trials ended per second of this process. None while nothing tells.
        """
        seconds = [row.seconds_at(now) for row in (*self._running.values(), *self._ended.values())]
        bounds = [self._by_pace(now), self.terms.budget.left_s(self.elapsed_s(now), seconds, len(self._running))]
        return min((bound for bound in bounds if bound is not None), default=None)

    def _by_pace(self, now: float) -> float | None:
        if not self._num_ended_here:
            return None
        num_left = self.terms.num_samples - len(self._ended)
        return num_left * (now - self._began_at) / self._num_ended_here


def _counts(row: Row) -> bool:
    """Whether a trial may be the best: one that failed or was given up is not."""
    return row.state not in ("failed", "pruned")
