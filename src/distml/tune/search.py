"""`Search`: which candidates are out and what became of them. Whoever runs the trials asks it and tells it.

It keeps what it hears in a log. Made on the log of a search that was cut off, it knows the trials that had ended,
gives out those that were running once more, and then goes on to new ones: with the study's and the rungs' answers
depending on the trials alone, the search comes to what it would have come to.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from distml.training import EpochResult
from distml.tune.halving import Halving
from distml.tune.log import LoggedTrial, TrialLog
from distml.tune.objective import Candidate, TrialRecord, TrialState
from distml.tune.study import Study


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
    """One search. `begun`: the log's trials, which `study` was replayed with."""

    def __init__(
        self,
        study: Study,
        halving: Halving | None,
        listener: SearchListener,
        log: TrialLog | None = None,
        begun: Sequence[LoggedTrial] = (),
    ) -> None:
        self._study = study
        self._halving = halving
        self._listener = listener
        self._log = log
        self._running: dict[int, Candidate] = {}
        self._waiting: list[Candidate] = []  # running when the process before was cut off
        self._last: dict[int, EpochResult] = {}
        self._records: dict[int, TrialRecord] = {}
        for trial in begun:
            self._recall(trial)

    def _recall(self, trial: LoggedTrial) -> None:
        candidate, number = trial.candidate, trial.candidate.number
        self._listener.on_recall(trial)
        goes_on = True
        for epoch in trial.epochs:
            self._last[number] = epoch
            goes_on = self._keep(number, epoch)
        if trial.record is not None:
            self._records[number] = trial.record
            if self._log is not None:  # it may have been cut off between the record and this
                self._log.files.checkpoint(number).delete()
        elif not goes_on:  # cut off between a rung's verdict and the record
            self.end(candidate, is_given_up=True)
        else:
            self._waiting.append(candidate)

    @property
    def is_exhausted(self) -> bool:
        return not self._waiting and self._study.is_exhausted

    @property
    def num_left(self) -> int:
        """Trials that have not ended, begun or not."""
        return self._study.num_samples - len(self._records)

    @property
    def elapsed_s(self) -> float:
        return self._log.elapsed_s if self._log is not None else 0.0

    @property
    def records(self) -> list[TrialRecord]:
        """What became of the trials that ended, by number."""
        return [self._records[number] for number in sorted(self._records)]

    def next(self) -> Candidate | None:
        """The next candidate to run; None while it depends on a trial that is running. See `is_exhausted`."""
        if self._waiting:
            candidate = self._waiting.pop(0)
            self._running[candidate.number] = candidate
            return candidate
        asked = self._study.ask()
        if asked is not None:
            self._running[asked.number] = asked
            if self._log is not None:
                self._log.start(asked)
            self._listener.on_start(asked)
        return asked

    def add_epochs(self, number: int, epochs: Sequence[EpochResult]) -> bool:
        """Notes a trial's epochs, those known already left out; whether the trial should go on."""
        known = self._last[number].epoch if number in self._last else 0
        new = [epoch for epoch in epochs if epoch.epoch > known]
        if not new:
            return True
        self._last[number] = new[-1]
        if self._log is not None:
            self._log.add_epochs(number, new)
        self._listener.on_epochs(number, new)
        return all(self._keep(number, epoch) for epoch in new)

    def _keep(self, number: int, epoch: EpochResult) -> bool:
        if self._halving is None:
            return True
        assert epoch.best_score is not None
        return self._halving.keep(number, epoch.epoch, epoch.best_score)

    def end(
        self, candidate: Candidate, *, is_given_up: bool = False, is_stopped: bool = False, failure: str | None = None
    ) -> None:
        """Notes how a trial ended: by itself, given up at a rung, out of time, or failed for a reason."""
        state: TrialState = "pruned" if is_given_up else "stopped" if is_stopped else "finished"
        if failure is not None:
            state = "failed"
        record = TrialRecord.of(candidate, state, self._last.get(candidate.number), failure)
        self._running.pop(candidate.number, None)
        if self._log is not None:
            self._log.end(record)
        self._records[record.number] = record
        self._study.complete(record)
        self._listener.on_end(record)

    def note(self, text: str) -> None:
        """What whoever watches should know, in a line."""
        self._listener.on_note(text)

    def stop_rest(self) -> None:
        """Ends the trials that were running when the time was up."""
        for candidate in [*self._running.values(), *self._waiting]:
            self.end(candidate, is_stopped=True)
        self._waiting.clear()
