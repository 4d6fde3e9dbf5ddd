"""The seam to experiment tracking: a protocol and a fake that keeps everything in memory."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

RunStatus = Literal["RUNNING", "FINISHED", "FAILED", "KILLED"]


@dataclass(frozen=True)
class Point:
    """One value of a metric at a step."""

    metric: str
    value: float
    step: int
    timestamp_ms: int


@dataclass(frozen=True, kw_only=True)
class TrackedRun:
    """A run as the tracker has it."""

    run: str
    status: RunStatus
    tags: Mapping[str, str]


class Tracker(Protocol):
    """Logs runs. Every call names its run: there is no current run and no process-wide state."""

    def start_run(self, name: str, *, parent: str | None = None, tags: Mapping[str, str] | None = None) -> str:
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

    def log_params(self, run: str, params: Mapping[str, Any]) -> None: ...

    def log_points(self, run: str, points: Sequence[Point]) -> None:
        """Adds points to the run's metrics; values that are not finite are left out."""
        ...

    def log_artifacts(self, run: str, folder: Path, path: str) -> None:
        """Copies a local file or folder's content under the run's artifact path."""
        ...

    def set_tags(self, run: str, tags: Mapping[str, str]) -> None: ...

    def end_run(self, run: str, status: RunStatus) -> None: ...

    def close(self) -> None:
        """Ends every run that is still open as KILLED."""
        ...


@dataclass
class LoggedRun:
    """What a `MemoryTracker` knows of a run."""

    name: str
    parent: str | None
    tags: dict[str, str]
    status: RunStatus = "RUNNING"
    params: dict[str, Any] = field(default_factory=dict)
    points: list[Point] = field(default_factory=list)
    artifacts: dict[str, list[str]] = field(default_factory=dict)  # artifact path -> files below it


class MemoryTracker:
    """Implements `Tracker` in memory, for notebooks and tests."""

    def __init__(self) -> None:
        self.runs: dict[str, LoggedRun] = {}

    def start_run(self, name: str, *, parent: str | None = None, tags: Mapping[str, str] | None = None) -> str:
        run = f"run-{len(self.runs)}"
        self.runs[run] = LoggedRun(name, parent, dict(tags or {}))
        return run

    def continue_run(self, run: str) -> None:
        self.runs[run].status = "RUNNING"

    def children(self, run: str) -> list[TrackedRun]:
        return [
            TrackedRun(run=key, status=logged.status, tags=dict(logged.tags))
            for key, logged in self.runs.items()
            if logged.parent == run
        ]

    def find_run(self, tag: str, value: str) -> str | None:
        return next((key for key, logged in self.runs.items() if logged.tags.get(tag) == value), None)

    def last_step(self, run: str, metric: str) -> int | None:
        return max((point.step for point in self.runs[run].points if point.metric == metric), default=None)

    def log_params(self, run: str, params: Mapping[str, Any]) -> None:
        self.runs[run].params.update(params)

    def log_points(self, run: str, points: Sequence[Point]) -> None:
        self.runs[run].points.extend(point for point in points if math.isfinite(point.value))

    def log_artifacts(self, run: str, folder: Path, path: str) -> None:
        home = folder.parent if folder.is_file() else folder
        files = [folder] if folder.is_file() else [item for item in folder.rglob("*") if item.is_file()]
        self.runs[run].artifacts.setdefault(path, []).extend(sorted(str(item.relative_to(home)) for item in files))

    def set_tags(self, run: str, tags: Mapping[str, str]) -> None:
        self.runs[run].tags.update(tags)

    def end_run(self, run: str, status: RunStatus) -> None:
        self.runs[run].status = status

    def close(self) -> None:
        for logged in self.runs.values():
            if logged.status == "RUNNING":
                logged.status = "KILLED"
