"""The seam to experiment tracking: a protocol and a fake that keeps everything in memory."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from distml.errors import StorageError

RunStatus = Literal["RUNNING", "FINISHED", "FAILED", "KILLED"]


@dataclass(frozen=True)
class Point:
    """One value of a metric at a step."""

    metric: str
    value: float
    step: int
    timestamp_ms: int


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Rows that a run was fitted or judged on. sha256: of their content, in hex; kinds: by column."""

    name: str
    context: str
    source: str
    sha256: str
    num_rows: int
    kinds: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class TrackedRun:
    """A run as the tracker has it."""

    run: str
    status: RunStatus
    tags: Mapping[str, str]
    params: Mapping[str, Any] = field(default_factory=dict)


class RefusedError(StorageError):
    """The tracker answers, and won't have what it was told: to say it again is of no use."""


class Tracker(Protocol):
    """Logs runs. Every call names its run: there is no current run and no process-wide state.

    Raises `RefusedError` for what the tracker won't have, `StorageError` while it doesn't answer. Times are in
    milliseconds since 1970, None for now.
    """

    def start_run(
        self, name: str, *, parent: str | None = None, tags: Mapping[str, str] | None = None, at_ms: int | None = None
    ) -> str:
        """Opens a run and returns its id."""
        ...

    def continue_run(self, run: str) -> None:
        """Opens a run that has ended, or that a process left open when it died, once more."""
        ...

    def children(self, run: str) -> list[TrackedRun]:
        """The runs started with this one as their parent."""
        ...

    def find_run(self, tag: str, value: str) -> str | None:
        """The run that was started with a tag of this value; None when there is none."""
        ...

    def last_step(self, run: str, metric: str) -> int | None:
        """The highest step at which the run has a value of the metric; None without any."""
        ...

    def log(
        self,
        run: str,
        *,
        params: Mapping[str, Any] | None = None,
        points: Sequence[Point] = (),
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Adds params, points and tags, all in as few calls as it takes.

        A param is written once, a tag is replaced; a point that is there already is there once, and values that are
        not finite are left out.
        """
        ...

    def log_datasets(self, run: str, datasets: Sequence[Dataset]) -> None:
        """Notes a run's inputs; one that is there already is there once."""
        ...

    def log_artifacts(self, run: str, folder: Path, path: str) -> None:
        """Copies a local file or folder's content under the run's artifact path."""
        ...

    def end_run(self, run: str, status: RunStatus, at_ms: int | None = None) -> None: ...


@dataclass
class LoggedRun:
    """What a `MemoryTracker` knows of a run."""

    name: str
    parent: str | None
    tags: dict[str, str]
    status: RunStatus = "RUNNING"
    params: dict[str, Any] = field(default_factory=dict)
    points: list[Point] = field(default_factory=list)
    datasets: list[Dataset] = field(default_factory=list)
    artifacts: dict[str, list[str]] = field(default_factory=dict)  # artifact path -> files below it
    started_ms: int | None = None
    ended_ms: int | None = None


class MemoryTracker:
    """Implements `Tracker` in memory, for notebooks and tests."""

    def __init__(self) -> None:
        self.runs: dict[str, LoggedRun] = {}

    def start_run(
        self, name: str, *, parent: str | None = None, tags: Mapping[str, str] | None = None, at_ms: int | None = None
    ) -> str:
        run = f"run-{len(self.runs)}"
        self.runs[run] = LoggedRun(name, parent, dict(tags or {}), started_ms=at_ms)
        return run

    def continue_run(self, run: str) -> None:
        self.runs[run].status = "RUNNING"

    def children(self, run: str) -> list[TrackedRun]:
        return [
            TrackedRun(run=key, status=logged.status, tags=dict(logged.tags), params=dict(logged.params))
            for key, logged in self.runs.items()
            if logged.parent == run
        ]

    def find_run(self, tag: str, value: str) -> str | None:
        return next((key for key, logged in self.runs.items() if logged.tags.get(tag) == value), None)

    def last_step(self, run: str, metric: str) -> int | None:
        return max((point.step for point in self.runs[run].points if point.metric == metric), default=None)

    def log(
        self,
        run: str,
        *,
        params: Mapping[str, Any] | None = None,
        points: Sequence[Point] = (),
        tags: Mapping[str, str] | None = None,
    ) -> None:
        logged = self._written(run)
        for key, value in (params or {}).items():
            if str(logged.params.setdefault(key, value)) != str(value):
                raise RefusedError("a param is written once", received=f"{key} = {value}", where=run)
        logged.points.extend(point for point in points if math.isfinite(point.value) and point not in logged.points)
        logged.tags.update(tags or {})

    def log_datasets(self, run: str, datasets: Sequence[Dataset]) -> None:
        known = self._written(run).datasets
        known.extend(dataset for dataset in datasets if dataset not in known)

    def log_artifacts(self, run: str, folder: Path, path: str) -> None:
        home = folder.parent if folder.is_file() else folder
        files = [folder] if folder.is_file() else [item for item in folder.rglob("*") if item.is_file()]
        names = {str(item.relative_to(home)) for item in files}
        known = self._written(run).artifacts
        known[path] = sorted({*known.get(path, ()), *names})

    def end_run(self, run: str, status: RunStatus, at_ms: int | None = None) -> None:
        logged = self._written(run)
        logged.status, logged.ended_ms = status, at_ms

    def _written(self, run: str) -> LoggedRun:
        if run not in self.runs:
            raise RefusedError("a run is logged to that was started", received=run)
        return self.runs[run]
