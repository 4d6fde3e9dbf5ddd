"""`Search`: which candidates are out and what became of them. Whoever runs the trials asks it and tells it.

It keeps what it hears in a log. Made on the log of a search that was cut off, it knows the trials that had ended,
gives out those that were running once more, and then goes on to new ones: with the source's answers and the bars
depending on the trials alone, the search comes to what it would have come to.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Protocol

from distml.metrics import Metric
from distml.training import EpochResult
from distml.tune.budget import Budget
from distml.tune.log import LoggedTrial, TrialLog
from distml.tune.objective import Candidate, TrialRecord
from distml.tune.results import Keeper
from distml.tune.schedulers import Scheduler, is_given_up
from distml.tune.trial import Ending, TrialTask


class CandidateSource(Protocol):
    """Where candidates come from: a `Study`, or a `Population`. Its answers depend on the trials alone."""

    metric: Metric

    @property
    def num_samples(self) -> int:
        """How many candidates there are in all."""
        ...

    @property
    def is_exhausted(self) -> bool:
        """Whether every candidate has been given out."""
        ...

    def ask(self) -> Candidate | None:
        """The next candidate; None while a trial that it depends on is still running."""
        ...

    def complete(self, record: TrialRecord) -> None:
        """Notes what became of a candidate."""
        ...

    def replay(self, trials: Sequence[tuple[Candidate, TrialRecord | None]]) -> bool:
        """Goes through the trials of a search that was cut off, by number from 1, each with its record if it ended.

        Returns False when this source gives other candidates: it is of no use for going on then.
        """
        ...

    def parents(self) -> Collection[int]:
        """The trials that have ended and whose last state a later candidate may go on from."""
        ...


class SearchListener(Protocol):
    """Hears, in the driver, of trials as they go."""

    def on_note(self, note: str) -> None:
        """What whoever watches should know, in a line."""
        ...

    def on_recall(self, trial: LoggedTrial) -> None:
        """A trial of the search that was cut off; one that had not ended will be heard of again."""
        ...

    def on_start(self, candidate: Candidate) -> None: ...

    def on_epochs(self, number: int, epochs: list[EpochResult]) -> None: ...

    def on_end(self, record: TrialRecord) -> None: ...


class Search:
    """One search.

    begun: the log's trials, which `source` was replayed with; num_kept: trials whose results are kept.
    """

    def __init__(
        self,
        source: CandidateSource,
        scheduler: Scheduler | None,
        listener: SearchListener,
        log: TrialLog | None = None,
        begun: Sequence[LoggedTrial] = (),
        *,
        budget: Budget | None = None,
        num_kept: int = 3,
    ) -> None:
        self._source = source
        self._scheduler = scheduler
        self._listener = listener
        self._log = log
        self._budget = budget or Budget()
        self._keeper = Keeper(source.metric, num_kept)
        self._began_at = time.monotonic()
        self._running: dict[int, float] = {}  # since when, less what it had run before
        self._waiting: list[Candidate] = []  # running when the process before was cut off
        self._states: set[int] = set()  # of trials that ended
        self._last: dict[int, EpochResult] = {}
        self._records: dict[int, TrialRecord] = {}
        self._candidates: dict[int, Candidate] = {}
        for trial in begun:
            self._recall(trial)
        if log is not None:
            self._states = set(source.parents())
            log.sweep(self._states | {waiting.number for waiting in self._waiting}, self._keeper.numbers)

    def _recall(self, trial: LoggedTrial) -> None:
        candidate, number = trial.candidate, trial.candidate.number
        self._candidates[number] = candidate
        self._listener.on_recall(trial)
        bars = self._bars(number)
        for epoch in trial.epochs:
            self._add_epoch(number, epoch)
        if trial.record is not None:
            self._records[number] = trial.record
            self._keeper.add(trial.record)
        elif any(is_given_up(self._source.metric, bars, epoch) for epoch in trial.epochs):
            self.end(number, Ending(state="pruned"))  # cut off between its last epoch and the record
        else:
            self._waiting.append(candidate)

    @property
    def is_exhausted(self) -> bool:
        """Whether no trial is to begin any more."""
        return self.is_out_of_time or (not self._waiting and self._source.is_exhausted)

    @property
    def is_out_of_time(self) -> bool:
        """Whether the budget is spent."""
        return self._budget.is_spent(self.elapsed_s, self._seconds())

    @property
    def num_left(self) -> int:
        """Trials that have not ended, begun or not."""
        return self._source.num_samples - len(self._records)

    @property
    def elapsed_s(self) -> float:
        """How long the search has run, in this process and those before."""
        return self._log.elapsed_s if self._log is not None else time.monotonic() - self._began_at

    @property
    def records(self) -> list[TrialRecord]:
        """What became of the trials that ended, by number."""
        return [self._records[number] for number in sorted(self._records)]

    def seconds_left(self, num_at_once: int) -> float | None:
        """Until the budget is spent, with so many trials running all the while, or all that are left where these are
        fewer; None without a limit."""
        return self._budget.left_s(self.elapsed_s, self._seconds(), min(num_at_once, self.num_left))

    def _seconds(self) -> list[float]:
        """What each trial has taken so far."""
        now = time.monotonic()
        return [record.seconds for record in self._records.values()] + [now - since for since in self._running.values()]

    def next(self, num_at_once: int = 1) -> TrialTask | None:
        """The next trial to run; None while it depends on one that is running. See `is_exhausted`.

        num_at_once: trials that run together, by which device-hours are spent.
        """
        if self._waiting:
            candidate = self._waiting.pop(0)
        else:
            asked = self._source.ask()
            if asked is None:
                return None
            candidate = asked
            self._candidates[candidate.number] = candidate
            if self._log is not None:
                self._log.start(candidate)
            self._listener.on_start(candidate)
        before = self._last[candidate.number].seconds if candidate.number in self._last else 0.0
        self._running[candidate.number] = time.monotonic() - before
        return TrialTask(
            candidate=candidate,
            bars=self._bars(candidate.number),
            seconds_left=self.seconds_left(num_at_once),
            score_to_keep=self._keeper.score_to_keep,
        )

    def _bars(self, number: int) -> dict[int, float]:
        return {} if self._scheduler is None else self._scheduler.bars(number)

    def add_epochs(self, number: int, epochs: Sequence[EpochResult]) -> None:
        """Notes a trial's epochs, those known already left out."""
        known = self._last[number].epoch if number in self._last else 0
        new = [epoch for epoch in epochs if epoch.epoch > known]
        if not new:
            return
        for epoch in new:
            self._add_epoch(number, epoch)
        if self._log is not None:
            self._log.add_epochs(number, new)
        self._listener.on_epochs(number, new)

    def _add_epoch(self, number: int, epoch: EpochResult) -> None:
        self._last[number] = epoch
        if self._scheduler is not None:
            self._scheduler.note(number, epoch)

    def end(self, number: int, ending: Ending) -> None:
        """Notes how a trial ended."""
        record = replace(
            TrialRecord.of(self._candidates[number], ending.state, self._last.get(number), ending.reason),
            objectives=ending.objectives,
            notes=ending.notes,
        )
        self._running.pop(number, None)
        if self._log is not None:
            self._log.end(record)
        self._records[number] = record
        self._source.complete(record)
        self._clean(record)
        self._listener.on_end(record)

    def _clean(self, record: TrialRecord) -> None:
        """Deletes the states that nothing goes on from any more, and the results that are no longer of the best."""
        outdone = self._keeper.add(record)
        if self._log is None:
            return
        parents = set(self._source.parents())
        for number in (self._states | {record.number}) - parents:
            self._log.files.checkpoint(number).delete()
        self._states = parents
        for number in outdone:
            self._log.files.results.delete(number)

    def note(self, text: str) -> None:
        """What whoever watches should know, in a line."""
        self._listener.on_note(text)

    def stop_rest(self) -> None:
        """Ends the trials that were running, or were to go on, when the time was up."""
        for number in [*self._running, *(candidate.number for candidate in self._waiting)]:
            self.end(number, Ending(state="stopped"))
        self._waiting.clear()
