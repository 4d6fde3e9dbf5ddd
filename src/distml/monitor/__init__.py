"""Watching what is served: windows, drift against the package's baseline."""

from distml.monitor.drift import ColumnDrift, DriftReport, compare

__all__ = ["ColumnDrift", "DriftReport", "compare"]
