"""When a trial is given up: asynchronous successive halving (ASHA, Li et al. 2020), made repeatable.

At a rung (an epoch grace * reduction ** i) a trial goes on only if it is among the best 1 / reduction of those that
it is compared with. ASHA compares with whoever happened to be there; here a trial is compared with the trials whose
number is at least `lag` lower, all of which had ended before it began. So the same seed gives the same decisions
whatever the machine's speed, as long as no time budget cuts in.
"""

from __future__ import annotations

import math

from distml.metrics import Metric


class Halving:
    """Decides about trials by number. Pure: it is told scores and answers."""

    def __init__(self, metric: Metric, *, max_epochs: int, lag: int, grace: int = 4, reduction: int = 3) -> None:
        self.metric = metric
        self.lag = lag
        self.reduction = reduction
        self.rungs = rungs(max_epochs, grace, reduction)
        self._scores: dict[int, dict[int, float]] = {rung: {} for rung in self.rungs}

    def keep(self, number: int, epoch: int, best_score: float) -> bool:
        """Notes a trial's best score at an epoch; whether it should go on. Epochs between rungs always go on."""
        if epoch not in self._scores:
            return True
        scores = self._scores[epoch]
        scores[number] = best_score
        others = [score for other, score in scores.items() if other <= number - self.lag]
        if not others:
            return True
        ranked = sorted([*others, best_score], key=lambda score: self.metric.sign * score, reverse=True)
        kept = math.ceil(len(ranked) / self.reduction)
        return not self.metric.better(ranked[kept - 1], best_score)


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
