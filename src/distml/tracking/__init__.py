"""Where runs, trials and their metrics are logged for people."""

from distml.tracking.base import Dataset, MemoryTracker, Point, RefusedError, RunStatus, Tracker
from distml.tracking.outbox import Outbox
from distml.tracking.sender import Sender
from distml.tracking.spool import Spool

__all__ = ["Dataset", "MemoryTracker", "Outbox", "Point", "RefusedError", "RunStatus", "Sender", "Spool", "Tracker"]
