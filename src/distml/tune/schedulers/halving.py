"""`asha`: asynchronous successive halving (Li et al. 2020, A System for Massively Parallel Hyperparameter Tuning).

At a rung (an epoch grace * reduction ** i) a trial goes on only if it is among the best 1 / reduction of those that
have come there, itself included.
"""

from __future__ import annotations

import math

from distml.metrics import Metric
from distml.training import EpochResult


class Halving:
    """Implements `Scheduler`. It waits for nobody at a rung; the price is that the first `lag` trials have no bars."""

    def __init__(self, metric: Metric, *, max_epochs: int, lag: int, grace: int = 4, reduction: int = 3) -> None:
        self.metric = metric
        self.lag = lag
        self.reduction = reduction
        self.rungs = rungs(max_epochs, grace, reduction)
        self._scores: dict[int, dict[int, float]] = {rung: {} for rung in self.rungs}

    def note(self, number: int, result: EpochResult) -> None:
        assert result.best_score is not None
        if result.epoch in self._scores:
            self._scores[result.epoch][number] = result.best_score

    def bars(self, number: int) -> dict[int, float]:
        found = {}
        for rung, scores in self._scores.items():
            others = [score for other, score in scores.items() if other <= number - self.lag]
            kept = math.ceil((len(others) + 1) / self.reduction)
            if kept <= len(others):
                found[rung] = sorted(others, key=lambda score: self.metric.sign * score, reverse=True)[kept - 1]
        return found


def rungs(max_epochs: int, grace: int = 4, reduction: int = 3) -> tuple[int, ...]:
    """Epochs at which trials are compared.

    >>> rungs(100)
    (4, 12, 36)
    """
    found = []
    rung = grace
    while rung < max_epochs:
        found.append(rung)
        rung *= reduction
    return tuple(found)
