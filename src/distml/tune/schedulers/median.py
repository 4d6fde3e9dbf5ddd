"""`median`: the median stopping rule (Golovin et al. 2017, Google Vizier).

After an epoch a trial goes on only if its best score so far is no worse than the median, over the trials before it, of
their mean scores up to that epoch.
"""

from __future__ import annotations

from collections import defaultdict
from statistics import fmean, median

from distml.metrics import Metric
from distml.training import EpochResult


class MedianStopping:
    """Implements `Scheduler`. An epoch has a bar from `grace` on, once `least` trials have come to it."""

    def __init__(self, metric: Metric, *, lag: int, grace: int = 4, least: int = 3) -> None:
        self.metric = metric
        self.lag = lag
        self.grace = grace
        self.least = least
        self._scores: dict[int, list[float]] = defaultdict(list)  # of each trial, epoch by epoch

    def note(self, number: int, result: EpochResult) -> None:
        assert result.score is not None
        self._scores[number].append(result.score)

    def bars(self, number: int) -> dict[int, float]:
        others = [scores for other, scores in self._scores.items() if other <= number - self.lag]
        found = {}
        for epoch in range(self.grace, max(map(len, others), default=0) + 1):
            means = [fmean(scores[:epoch]) for scores in others if len(scores) >= epoch]
            if len(means) < self.least:
                break
            found[epoch] = median(means)
        return found
