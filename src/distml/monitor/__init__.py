"""Watching what is served: windows, drift against the package's baseline."""

from distml.monitor.drift import ColumnDrift, DriftReport, compare
from distml.monitor.monitor import Monitor

__all__ = ["ColumnDrift", "DriftReport", "Monitor", "compare"]
