"""When a trial is given up: one file per rule, all of which set bars."""

from __future__ import annotations

from distml.metrics import Metric
from distml.tune.schedulers.base import Scheduler, is_given_up
from distml.tune.schedulers.halving import Halving
from distml.tune.schedulers.hyperband import Hyperband
from distml.tune.schedulers.median import MedianStopping

__all__ = ["Halving", "Hyperband", "MedianStopping", "Scheduler", "is_given_up", "scheduler_for"]


def scheduler_for(name: str, metric: Metric, *, max_epochs: int, lag: int) -> Scheduler | None:
    """The scheduler of a config's name, which has been checked; None for those that give no trial up."""
    if name == "asha":
        return Halving(metric, max_epochs=max_epochs, lag=lag)
    if name == "hyperband":
        return Hyperband(metric, max_epochs=max_epochs, lag=lag)
    if name == "median":
        return MedianStopping(metric, lag=lag)
    assert name in ("none", "pbt"), name
    return None
