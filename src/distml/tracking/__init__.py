"""Where runs, trials and their metrics are logged for people."""

from distml.tracking.base import MemoryTracker, Point, RunStatus, Tracker

__all__ = ["MemoryTracker", "Point", "RunStatus", "Tracker"]
