"""What is told of a search while it runs: to the tracker, off the search's own thread, and to whoever watches."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

from distml.metrics import Metric
from distml.tracking import Point, RunStatus, Tracker
from distml.training import EpochResult
from distml.tune import Candidate, TrialRecord
from distml.tune.objective import TrialState

# MLflow has no status for a pruned trial; the tag `distml.state` tells it from a finished one.
_STATUS: dict[TrialState, RunStatus] = {
    "finished": "FINISHED",
    "pruned": "FINISHED",
    "failed": "FAILED",
    "stopped": "KILLED",
}


class Reporter(Protocol):
    """Hears, in plain words, how a run goes."""

    def stage(self, name: str, note: str) -> None:
        """A stage began, ended or was reused."""
        ...

    def trial(self, record: TrialRecord, best: float | None, num_done: int, num_samples: int) -> None: ...


class Silent:
    """A `Reporter` that says nothing."""

    def stage(self, name: str, note: str) -> None:
        pass

    def trial(self, record: TrialRecord, best: float | None, num_done: int, num_samples: int) -> None:
        pass


class Journal:
    """Implements `SearchListener`: one tracked run per trial, written by a thread of its own.

    The tracker has one writer and the search never waits for it. An error of the tracker ends the writing, is kept
    as `error` and told at `close`; the search goes on.
    """

    def __init__(self, tracker: Tracker, parent: str, metric: Metric, reporter: Reporter, num_samples: int) -> None:
        self._tracker = tracker
        self._parent = parent
        self._metric = metric
        self._reporter = reporter
        self._num_samples = num_samples
        self._runs: dict[int, str] = {}
        self._best: float | None = None
        self._num_done = 0
        self.error: Exception | None = None
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write, name="distml-journal", daemon=True)
        self._thread.start()

    def on_start(self, candidate: Candidate) -> None:
        self._calls.put(lambda: self._start(candidate))

    def on_epochs(self, number: int, epochs: list[EpochResult]) -> None:
        now = int(time.time() * 1000)
        points = [point for epoch in epochs for point in self._points(epoch, now)]
        self._calls.put(lambda: self._tracker.log_points(self._runs[number], points))

    def on_end(self, record: TrialRecord) -> None:
        self._num_done += 1
        if record.score is not None and record.state in ("finished", "stopped"):
            nothing = float("nan") if self._best is None else self._best
            self._best = record.score if self._metric.better(record.score, nothing) else self._best
        self._reporter.trial(record, self._best, self._num_done, self._num_samples)
        self._calls.put(lambda: self._end(record))

    def close(self) -> None:
        """Waits until everything is written."""
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

    def _start(self, candidate: Candidate) -> None:
        run = self._tracker.start_run(
            f"trial-{candidate.number:04d}-{candidate.family}",
            parent=self._parent,
            tags={"distml.trial": str(candidate.number), "distml.family": candidate.family},
        )
        self._runs[candidate.number] = run
        self._tracker.log_params(run, {"family": candidate.family, **candidate.params})

    def _end(self, record: TrialRecord) -> None:
        run = self._runs[record.number]
        tags: dict[str, str] = {"distml.state": record.state}
        if record.reason:
            tags["distml.reason"] = record.reason
        self._tracker.set_tags(run, tags)
        self._tracker.end_run(run, _STATUS[record.state])

    def _points(self, epoch: EpochResult, now: int) -> list[Point]:
        values: dict[str, Any] = {
            "train_loss": epoch.train_loss,
            f"validation_{self._metric.name}": epoch.score,
        }
        return [Point(name, value, epoch.epoch, now) for name, value in values.items() if value is not None]
