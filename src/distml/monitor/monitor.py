"""`Monitor`: merges what replicas send and compares each full window with the baseline. It knows nothing of Ray."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from distml.monitor.drift import compare
from distml.monitor.replicas import Replicas
from distml.summary import TableSummary
from distml.window import Counts, Window

KEPT_REPORTS = 100
KEPT_COUNTS = 40  # of versions in their roles: those that were heard of last
MISSED_FLUSHES = 5  # after which a replica isn't counted as there
LEAST_SILENT_S = 15.0  # a flush may take ten seconds before it is tried again

Key = tuple[int, bool]
"""A version, and whether it listens as a shadow."""


class Monitor:
    """Watches one model. What it counts begins at zero when it is started, as after its process died: Prometheus takes
    that for the reset of a counter. clock: seconds since 1970."""

    def __init__(
        self,
        name: str,
        *,
        window_rows: int,
        false_alarm_rate: float,
        min_effect: float,
        flush_interval_s: float = 1.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.name = name
        self.window_rows = window_rows
        self._rates = {"false_alarm_rate": false_alarm_rate, "min_effect": min_effect}
        self._clock = clock
        self._baselines: dict[int, tuple[TableSummary, TableSummary]] = {}
        self._open: dict[Key, Window] = {}
        self._counts: dict[Key, Counts] = {}
        self._reports: list[dict[str, Any]] = []
        self._replicas = Replicas(max(LEAST_SILENT_S, MISSED_FLUSHES * flush_interval_s))

    def watch(self, version: int, baseline: dict[str, Any]) -> None:
        """Makes a version's baseline known: the content of its package's `baseline.json`."""
        self._baselines[version] = (
            TableSummary.from_dict(baseline["inputs"]),
            TableSummary.from_dict(baseline["predictions"]),
        )

    def loaded(
        self, replica: str, asked_at: float, versions: Sequence[int], main: int | None, errors: Mapping[int, str]
    ) -> None:
        """A replica's word on the traffic that was asked for at a time: the versions that it holds, the one that
        answers what no other has a share of, and why it refused others."""
        now = self._clock()
        self._replicas.loaded(replica, now, asked_at=asked_at, versions=versions, main=main, errors=errors)

    def left(self, replica: str) -> None:
        """A replica's last word."""
        self._replicas.left(replica, self._clock())

    def observe(self, replica: str, windows: Sequence[Window], gauges: Mapping[str, float] | None = None) -> bool:
        """Adds what a replica served since its last word, if anything: it speaks all the same, as a sign of life.

        gauges: what stands with it now, `ongoing` and `queued` requests. Returns False to a replica that this monitor
        knows nothing of, having been started anew: it is to say `loaded` again.
        """
        for window in windows:
            self._add(window)
        return self._replicas.heard(replica, self._clock(), gauges)

    def _add(self, window: Window) -> None:
        self._count(window)
        known = self._open.get(window.key)
        merged = known.merge(window) if known else window
        self._open[window.key] = merged
        if merged.inputs.count >= self.window_rows and window.version in self._baselines:
            self._reports.append(self._judge(merged, is_full=True))
            del self._open[window.key], self._reports[:-KEPT_REPORTS]

    def _count(self, window: Window) -> None:
        counts = self._counts.pop(window.key, None) or Counts()
        counts.include(window)
        self._counts[window.key] = counts  # at the end, so that those which nobody hears of come to the begin
        if len(self._counts) > KEPT_COUNTS:
            oldest = next(iter(self._counts))
            del self._counts[oldest]
            self._open.pop(oldest, None)

    def _judge(self, window: Window, *, is_full: bool) -> dict[str, Any]:
        baselines = zip(self._baselines[window.version], (window.inputs, window.predictions), strict=True)
        inputs, predictions = (compare(baseline, live, **self._rates) for baseline, live in baselines)
        return {
            "version": window.version,
            "is_shadow": window.is_shadow,
            "at": self._clock(),
            "is_full": is_full,
            "requests": window.requests,
            "faults": window.faults,
            "unsummarised": window.unsummarised,
            "latency_ms": {"p50": window.latency_ms(0.5), "p99": window.latency_ms(0.99)},
            "rows": inputs.rows,
            "drifted": inputs.drifted + predictions.drifted,
            "inputs": inputs.to_dict(),
            "predictions": predictions.to_dict(),
        }

    def replicas(self) -> dict[str, dict[str, Any]]:
        """What replicas that were heard of lately told: `report`'s part that costs nothing."""
        self._replicas.note(self._clock())
        return self._replicas.known

    def totals(self) -> dict[int, dict[str, Any]]:
        """By version what it was asked since this monitor began: `Counts.to_dict`, of callers and of what it heard as
        a shadow together; `shadow` has the part that it heard as a shadow."""
        return {version: self._total(version) for version in sorted({version for version, _ in self._counts})}

    def _total(self, version: int) -> dict[str, Any]:
        shadow = self._counts.get((version, True), Counts())
        total = Counts()
        total.include(self._counts.get((version, False), Counts()))
        total.include(shadow)
        return total.to_dict() | {"shadow": shadow.to_dict()}

    def metrics(self) -> dict[str, Any]:
        """What Prometheus is shown. counts: (version, is it a shadow) -> `Counts`; replicas: how many are alive;
        loaded and main: version -> how many of those hold it, and answer with it by default; gauges: their sums."""
        now = self._clock()
        self._replicas.note(now)
        alive = self._replicas.alive(now).values()
        held = [version for told in alive for version in told["versions"]]
        mains = [told["main"] for told in alive if told["main"] is not None]
        return {
            "name": self.name,
            "counts": dict(self._counts),
            "replicas": len(alive),
            "loaded": {version: held.count(version) for version in sorted(set(held))},
            "main": {version: mains.count(version) for version in sorted(set(mains))},
            "gauges": {name: self._replicas.gauge(name, now) for name in ("ongoing", "queued")},
        }

    def report(self) -> dict[str, Any]:
        """What is known: replicas that were heard of lately, totals by version, the last full windows, and those that
        are filling."""
        filling = [
            self._judge(window, is_full=False)
            for window in self._open.values()
            if window.version in self._baselines and window.inputs.count
        ]
        return {
            "name": self.name,
            "window_rows": self.window_rows,
            "replicas": self.replicas(),
            "changes": list(self._replicas.changes),
            "versions": {str(version): total for version, total in self.totals().items()},
            "windows": self._reports,
            "filling": filling,
        }
