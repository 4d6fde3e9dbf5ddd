"""What is told of a search while it runs: to the tracker, off the search's own thread, and to whoever watches."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from itertools import chain
from typing import Any

from distml.lifecycle.reporter import Reporter
from distml.metrics import Metric
from distml.storage import content_hash
from distml.tracking import Point, RunStatus, Tracker
from distml.tracking.base import TrackedRun
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
    """Implements `SearchListener`: one tracked run per trial, written by a thread of its own.

    The tracker has one writer and the search never waits for it. An error of the tracker ends the writing, is kept
    as `error` and told at `close`; the search goes on. With `goes_on` the parent has runs of trials already, of a
    search that was cut off: they are gone on with, and what they have is not written again. search: the search's key,
    by which runs of another search's trials are told.
    """

    def __init__(
        self,
        tracker: Tracker,
        parent: str,
        metric: Metric,
        reporter: Reporter,
        num_samples: int,
        *,
        goes_on: bool = False,
        search: str = "",
    ) -> None:
        self._tracker = tracker
        self._parent = parent
        self._metric = metric
        self._reporter = reporter
        self._num_samples = num_samples
        self._search = search
        self._runs: dict[int, str] = {}
        self._known: dict[int, dict[str, TrackedRun]] = {}  # by number, by content of the candidate
        self._last_step: dict[int, int] = {}
        self._best: float | None = None
        self._num_done = self._num_running = 0
        self.error: Exception | None = None
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        if goes_on:
            self._calls.put(self._find)
        self._thread = threading.Thread(target=self._write, name="distml-journal", daemon=True)
        self._thread.start()

    def on_note(self, note: str) -> None:
        self._reporter.stage("tune", note)

    def on_recall(self, trial: LoggedTrial) -> None:
        number, record = trial.candidate.number, trial.record
        self._reporter.recall(trial)
        self._calls.put(lambda: self._start(trial.candidate))
        if trial.epochs:
            self._track(number, trial.epochs)
        if record is not None:
            self._count(record)
            self._calls.put(lambda: self._end(record))
        else:
            self._num_running += 1
        self._reporter.trials(self._num_running, self._num_done, self._num_samples)

    def on_start(self, candidate: Candidate) -> None:
        self._num_running += 1
        self._reporter.began(candidate)
        self._reporter.trials(self._num_running, self._num_done, self._num_samples)
        self._calls.put(lambda: self._start(candidate))

    def on_epochs(self, number: int, epochs: list[EpochResult]) -> None:
        self._reporter.epochs(number, epochs)
        self._track(number, epochs)

    def _track(self, number: int, epochs: list[EpochResult]) -> None:
        now = int(time.time() * 1000)
        points = [point for epoch in epochs for point in self._points(epoch, now)]
        self._calls.put(lambda: self._log(number, points))

    def on_end(self, record: TrialRecord) -> None:
        self._num_running -= 1
        self._count(record)
        self._reporter.trials(self._num_running, self._num_done, self._num_samples)
        self._reporter.trial(record, self._best, self._num_done, self._num_samples)
        self._calls.put(lambda: self._end(record))

    def _count(self, record: TrialRecord) -> None:
        self._num_done += 1
        if record.score is not None and record.state in ("finished", "stopped"):
            nothing = float("nan") if self._best is None else self._best
            self._best = record.score if self._metric.better(record.score, nothing) else self._best

    def close(self) -> None:
        """Waits until everything is written."""
        self._calls.put(self._forget)
        self._calls.put(None)
        self._thread.join()
        if self.error is not None:
            self._reporter.stage("tune", f"trials are no longer logged since: {self.error}")

    def _write(self) -> None:
        while (call := self._calls.get()) is not None:
            if self.error is None:
                try:
                    call()
                except Exception as error:  # noqa: BLE001 - whatever it is, the search goes on and the end tells of it
                    self.error = error

    def _find(self) -> None:
        """The runs of trials that the parent has."""
        for known in self._tracker.children(self._parent):
            if "distml.trial" in known.tags:
                of_number = self._known.setdefault(int(known.tags["distml.trial"]), {})
                of_number[known.tags.get("distml.candidate", "")] = known

    def _start(self, candidate: Candidate) -> None:
        content = content_hash(self._search, candidate.family, candidate.params)
        of_number = self._known.pop(candidate.number, {})
        known = of_number.pop(content, None)
        for other in of_number.values():
            self._discard(other)
        if known is not None:
            self._runs[candidate.number] = known.run
            step = self._tracker.last_step(known.run, f"validation_{self._metric.name}")
            self._last_step[candidate.number] = step or 0
            if known.status != "FINISHED":
                self._tracker.continue_run(known.run)
        else:
            self._runs[candidate.number] = self._tracker.start_run(
                f"trial-{candidate.number:04d}-{candidate.family}",
                parent=self._parent,
                tags={
                    "distml.trial": str(candidate.number),
                    "distml.family": candidate.family,
                    "distml.candidate": content,
                },
            )
        self._tracker.log_params(self._runs[candidate.number], {"family": candidate.family, **candidate.params})

    def _log(self, number: int, points: list[Point]) -> None:
        last_step = self._last_step.get(number, 0)
        self._tracker.log_points(self._runs[number], [point for point in points if point.step > last_step])

    def _end(self, record: TrialRecord) -> None:
        run = self._runs[record.number]
        tags: dict[str, str] = {"distml.state": record.state}
        if record.reason:
            tags["distml.reason"] = record.reason
        self._tracker.set_tags(run, tags)
        self._tracker.end_run(run, _STATUS[record.state])

    def _forget(self) -> None:
        """Ends runs of trials that are no part of the search any more: it began again."""
        for known in chain.from_iterable(of_number.values() for of_number in self._known.values()):
            if known.status == "RUNNING":
                self._discard(known)

    def _discard(self, known: TrackedRun) -> None:
        """Marks the run of a trial that another candidate, or the same on other rows, has taken the place of."""
        self._tracker.set_tags(known.run, {"distml.state": "discarded"})
        if known.status == "RUNNING":
            self._tracker.end_run(known.run, "KILLED")

    def _points(self, epoch: EpochResult, now: int) -> list[Point]:
        values: dict[str, Any] = {
            "train_loss": epoch.train_loss,
            f"validation_{self._metric.name}": epoch.score,
        }
        return [Point(name, value, epoch.epoch, now) for name, value in values.items() if value is not None]
