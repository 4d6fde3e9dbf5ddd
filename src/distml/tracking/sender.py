"""Tells a tracker entries, in such a way that one told twice is there once.

That is what makes a spool safe: whoever isn't sure that an entry has arrived, because the server went away in the
middle of a call or because the process before was killed, sends it again.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from distml.errors import StorageError
from distml.storage import Storage
from distml.tracking.base import Point, RefusedError, RunStatus, Tracker
from distml.tracking.entries import RUN, Artifacts, Datasets, Discard, End, Entry, Log, Mirror, Start

KEY = "distml.key"  # the tag by which a run of ours is found again
ToRegistry = Callable[[Tracker, str, Mapping[str, Any], str], None]


def _nowhere(tracker: Tracker, run: str, version: Mapping[str, Any], alias: str) -> None:
    """There is no registry to mirror versions to."""


@dataclass
class _Known:
    """A run as the tracker has it. last_steps: by metric, as far as known; is_new: nobody else has written to it."""

    run: str
    status: RunStatus = "RUNNING"
    params: Mapping[str, Any] = field(default_factory=dict)
    last_steps: dict[str, int] = field(default_factory=dict)
    is_new: bool = False


class Sender:
    """Sends the entries of the run that the tracker has under the id `run`.

    goes_on: somebody else has written to it, or to runs below it, before. mirror: writes a version to the tracker's
    registry.
    """

    def __init__(
        self, tracker: Tracker, run: str, storage: Storage, *, goes_on: bool = False, mirror: ToRegistry = _nowhere
    ) -> None:
        self._tracker = tracker
        self._run = run
        self._storage = storage
        self._mirror = mirror
        self._known: dict[str, _Known] | None = None if goes_on else {RUN: _Known(run, is_new=True)}

    def send(self, entry: Entry) -> None:
        """Raises as `Tracker` does; then the entry may have arrived, or some of it."""
        try:
            self._send(entry)
        except BaseException:
            self._known = None  # whatever was being written may be there or not: the tracker is asked
            raise

    def answers(self) -> bool:
        """Whether the tracker is there at all."""
        try:
            self._tracker.find_run(KEY, self._run)
        except StorageError:
            return False
        return True

    def _send(self, entry: Entry) -> None:
        match entry:
            case Start():
                self._start(entry)
            case Log():
                self._log(entry)
            case End():
                self._end(entry)
            case Discard():
                self._discard(entry)
            case Datasets():
                self._tracker.log_datasets(self._run, entry.datasets)
            case Artifacts():
                self._artifacts(entry)
            case Mirror():
                self._mirror(self._tracker, self._run, entry.version, entry.alias)

    @property
    def _runs(self) -> dict[str, _Known]:
        """By key; asked of the tracker where it may have more than this sender knows."""
        if self._known is None:
            self._known = {RUN: _Known(self._run)}
            for child in self._tracker.children(self._run):
                known = _Known(child.run, child.status, child.params)
                self._known[child.tags.get(KEY, f"not ours: {child.run}")] = known
        return self._known

    def _started(self, key: str) -> _Known:
        if key not in self._runs:
            raise RefusedError("a run is logged to that was started", received=key, where=self._run)
        return self._runs[key]

    def _start(self, entry: Start) -> None:
        known = self._runs.get(entry.run)
        if known is None:
            tags = {**entry.tags, KEY: entry.run}
            run = self._tracker.start_run(entry.name, parent=self._run, tags=tags, at_ms=entry.at_ms)
            self._runs[entry.run] = _Known(run, is_new=True)
        elif known.status in ("FAILED", "KILLED"):
            self._tracker.continue_run(known.run)
            known.status = "RUNNING"

    def _log(self, entry: Log) -> None:
        known = self._started(entry.run)
        params = {key: value for key, value in entry.params.items() if key not in known.params}
        points = self._new(known, entry.points)
        if params or points or entry.tags:
            self._tracker.log(known.run, params=params, points=points, tags=entry.tags)
        known.params = {**known.params, **params}
        for point in points:
            known.last_steps[point.metric] = max(point.step, known.last_steps[point.metric])

    def _new(self, known: _Known, points: Sequence[Point]) -> Sequence[Point]:
        """Those beyond the last step that the run has. Another process gave them other times, so the tracker can't
        tell that they are the same."""
        for metric in {point.metric for point in points} - set(known.last_steps):
            step = None if known.is_new else self._tracker.last_step(known.run, metric)
            known.last_steps[metric] = -1 if step is None else step
        return [point for point in points if point.step > known.last_steps[point.metric]]

    def _end(self, entry: End) -> None:
        if entry.run == RUN:
            for key, known in self._runs.items():
                if key != RUN and known.status == "RUNNING":
                    self._close(known, "KILLED", entry.at_ms)
        known = self._started(entry.run)
        if known.status != entry.status:
            self._close(known, entry.status, entry.at_ms)

    def _close(self, known: _Known, status: RunStatus, at_ms: int) -> None:
        self._tracker.end_run(known.run, status, at_ms)
        known.status = status

    def _discard(self, entry: Discard) -> None:
        for key, known in self._runs.items():
            if key != RUN and key not in entry.keep:
                self._tracker.log(known.run, tags={"distml.state": "discarded"})
                if known.status == "RUNNING":
                    self._close(known, "KILLED", entry.at_ms)

    def _artifacts(self, entry: Artifacts) -> None:
        if self._storage.list(entry.key):
            with self._storage.local_folder(entry.key) as folder:
                self._tracker.log_artifacts(self._run, folder, entry.path)
            return
        with tempfile.TemporaryDirectory(prefix="distml-") as scratch:
            file = Path(scratch, Path(entry.key).name)
            file.write_bytes(self._storage.read_bytes(entry.key))
            self._tracker.log_artifacts(self._run, file, entry.path)
