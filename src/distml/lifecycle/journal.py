"""What is told of a search while it runs: to the tracker, through an outbox, and to whoever watches."""

from __future__ import annotations

from typing import Any

from distml.lifecycle.reporter import Reporter
from distml.metrics import Metric
from distml.models import FAMILIES
from distml.storage import content_hash
from distml.tracking import Outbox, Point, RunStatus
from distml.tracking.entries import Discard, End, Start, log, now_ms
from distml.training import EpochResult
from distml.tune import Candidate, TrialRecord
from distml.tune.log import LoggedTrial
from distml.tune.objective import TrialState

# MLflow has no status for a pruned trial; the tag `distml.state` tells it from a finished one.
_STATUS: dict[TrialState, RunStatus] = {
    "finished": "FINISHED",
    "pruned": "FINISHED",
    "failed": "FAILED",
    "stopped": "KILLED",
}


class Journal:
    """Implements `SearchListener`: one tracked run per trial, told through an outbox.

    Nothing here waits for a tracker. A trial's run is known by what the trial is, so that a search that is gone on with
    tells everything again, and its runs go on. search: the search's key, which tells its trials from another's.
    """

    def __init__(
        self, outbox: Outbox, metric: Metric, reporter: Reporter, num_samples: int, *, search: str = ""
    ) -> None:
        self._outbox = outbox
        self._metric = metric
        self._reporter = reporter
        self._num_samples = num_samples
        self._search = search
        self._keys: dict[int, str] = {}
        self._best: float | None = None
        self._num_done = self._num_running = 0

    def on_note(self, note: str) -> None:
        self._reporter.stage("tune", note)

    def on_recall(self, trial: LoggedTrial) -> None:
        number, record = trial.candidate.number, trial.record
        self._reporter.recall(trial)
        self._start(trial.candidate)
        if trial.epochs:
            self._track(number, trial.epochs)
        if record is not None:
            self._count(record)
            self._end(record)
        else:
            self._num_running += 1
        self._reporter.trials(self._num_running, self._num_done, self._num_samples)

    def on_start(self, candidate: Candidate) -> None:
        self._num_running += 1
        self._reporter.began(candidate)
        self._reporter.trials(self._num_running, self._num_done, self._num_samples)
        self._start(candidate)

    def on_epochs(self, number: int, epochs: list[EpochResult]) -> None:
        self._reporter.epochs(number, epochs)
        self._track(number, epochs)

    def _track(self, number: int, epochs: list[EpochResult]) -> None:
        now = now_ms()
        points = [point for epoch in epochs for point in self._points(epoch, now)]
        self._outbox.put(log(self._keys[number], points=points))
        self._tell()

    def on_end(self, record: TrialRecord) -> None:
        self._num_running -= 1
        self._count(record)
        self._reporter.trials(self._num_running, self._num_done, self._num_samples)
        self._reporter.trial(record, self._best, self._num_done, self._num_samples)
        self._end(record)
        self._tell()

    def _count(self, record: TrialRecord) -> None:
        self._num_done += 1
        if record.score is not None and record.is_eligible:
            nothing = float("nan") if self._best is None else self._best
            self._best = record.score if self._metric.better(record.score, nothing) else self._best

    def close(self, best: int | None = None) -> None:
        """The end. best: the best trial of a search that came to its own; runs of trials not in it are discarded."""
        if best is not None:
            self._outbox.put(Discard(keep=tuple(self._keys.values())))
        if best in self._keys:
            self._outbox.put(log(self._keys[best], tags={"distml.best": True}))
        self._tell()

    def _tell(self) -> None:
        for note in self._outbox.notes():
            self._reporter.stage("track", note)

    def _start(self, candidate: Candidate) -> None:
        number, family = candidate.number, candidate.family
        key = content_hash(self._search, number, family, candidate.params, candidate.parent)
        tags = {"distml.trial": str(number), "distml.family": family}
        if candidate.parent is not None:
            tags["distml.goes_on_from"] = str(candidate.parent)
        self._keys[number] = key
        self._outbox.put(Start(run=key, name=f"trial-{number:04d}-{family}", tags=tags))
        defaults = FAMILIES[family].defaults if family in FAMILIES else {}
        self._outbox.put(log(key, params={"family": family, **defaults, **candidate.params}))

    def _end(self, record: TrialRecord) -> None:
        tags = {"distml.state": record.state} | ({"distml.reason": record.reason} if record.reason else {})
        self._outbox.put(log(self._keys[record.number], tags=tags))
        self._outbox.put(End(run=self._keys[record.number], status=_STATUS[record.state]))

    def _points(self, epoch: EpochResult, now: int) -> list[Point]:
        values: dict[str, Any] = {
            "train_loss": epoch.train_loss,
            f"validation_{self._metric.name}": epoch.score,
        }
        return [Point(name, value, epoch.epoch, now) for name, value in values.items() if value is not None]
