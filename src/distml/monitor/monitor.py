"""`Monitor`: merges what replicas send and compares each full window with the baseline. It knows nothing of Ray."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from distml.monitor.drift import compare
from distml.summary import TableSummary
from distml.window import Window

KEPT_REPORTS = 100


class Monitor:
    """Watches one model."""

    def __init__(self, name: str, *, window_rows: int, false_alarm_rate: float, min_effect: float) -> None:
        self.name = name
        self.window_rows = window_rows
        self._rates = {"false_alarm_rate": false_alarm_rate, "min_effect": min_effect}
        self._baselines: dict[int, tuple[TableSummary, TableSummary]] = {}
        self._open: dict[int, Window] = {}
        self._totals: dict[int, dict[str, Any]] = {}
        self._reports: list[dict[str, Any]] = []
        self._replicas: dict[str, dict[str, Any]] = {}

    def watch(self, version: int, baseline: dict[str, Any]) -> None:
        """Makes a version's baseline known: the content of its package's `baseline.json`."""
        self._baselines[version] = (
            TableSummary.from_dict(baseline["inputs"]),
            TableSummary.from_dict(baseline["predictions"]),
        )

    def loaded(self, replica: str, wanted: int, serving: int | None, error: str | None) -> None:
        """A replica's word on the version that it was to load: the one it serves now, and why not the wanted one."""
        self._replicas[replica] = {"wanted": wanted, "serving": serving, "error": error, "at": time.time()}

    def observe(self, replica: str, windows: Sequence[Window]) -> None:
        """Adds what a replica served since its last word."""
        for window in windows:
            known = self._open.get(window.version)
            merged = known.merge(window) if known else window
            self._open[window.version] = merged
            self._count(window)
            if merged.rows >= self.window_rows and window.version in self._baselines:
                self._reports.append(self._judge(merged, is_full=True))
                del self._open[window.version], self._reports[:-KEPT_REPORTS]
        if replica in self._replicas:
            self._replicas[replica]["at"] = time.time()

    def _count(self, window: Window) -> None:
        total = self._totals.setdefault(window.version, {"requests": 0, "rows": 0, "errors": {}, "ignored": {}})
        total["requests"] += window.requests
        total["rows"] += window.rows
        for name in ("errors", "ignored"):
            for key, count in getattr(window, name).items():
                total[name][key] = total[name].get(key, 0) + count

    def _judge(self, window: Window, *, is_full: bool) -> dict[str, Any]:
        inputs, predictions = self._baselines[window.version]
        return {
            "version": window.version,
            "at": time.time(),
            "is_full": is_full,
            "requests": window.requests,
            "latency_ms": {"p50": window.latency_ms(0.5), "p99": window.latency_ms(0.99)},
            "inputs": compare(inputs, window.inputs, **self._rates).to_dict(),
            "predictions": compare(predictions, window.predictions, **self._rates).to_dict(),
        }

    def report(self) -> dict[str, Any]:
        """What is known: totals by version, the last full windows, and the one that is filling."""
        filling = [
            self._judge(window, is_full=False)
            for version, window in self._open.items()
            if version in self._baselines and window.rows
        ]
        return {
            "name": self.name,
            "window_rows": self.window_rows,
            "replicas": self._replicas,
            "versions": {str(version): total for version, total in self._totals.items()},
            "windows": self._reports,
            "filling": filling,
        }
