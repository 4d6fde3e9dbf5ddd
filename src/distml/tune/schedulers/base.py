"""When a trial is given up. What every scheduler has in common is a bar: the score that a trial must have by an epoch.

Schedulers compare a trial with whoever happened to be there; here trial k is compared with the trials up to k - lag
alone, all of which had ended before it began. So its bars are known when it begins, its own process sees to them
without asking anyone, and the same seed gives the same decisions whatever the machine's speed, as long as no time
budget cuts in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from distml.metrics import Metric
from distml.training import EpochResult


class Scheduler(Protocol):
    """Sets bars. Pure: it is told of epochs, by the trials' numbers, and answers."""

    def note(self, number: int, result: EpochResult) -> None:
        """Notes an epoch of a trial, which has a score."""
        ...

    def bars(self, number: int) -> dict[int, float]:
        """Epoch -> the best score with which trial `number` goes on after it; epochs without a bar are left out."""
        ...


def is_given_up(metric: Metric, bars: Mapping[int, float], result: EpochResult) -> bool:
    """Whether a trial ends here, because its best score is worse than the bar of the epoch.

    >>> from distml.metrics import METRICS
    >>> epoch = EpochResult(epoch=4, train_loss=1.0, score=0.7, best_score=0.8, best_epoch=2, seconds=1.0)
    >>> [is_given_up(METRICS["roc_auc"], {at: bar}, epoch) for at, bar in [(4, 0.81), (4, 0.8), (5, 0.9)]]
    [True, False, False]
    """
    bar = bars.get(result.epoch)
    return bar is not None and result.best_score is not None and metric.better(bar, result.best_score)
