"""Metrics with their direction, over plain arrays.

For classes a prediction is `probabilities`, float [n, k]; for regression `values`, float [n]. Targets are class
codes int [n] or floats [n]. The formulas are scikit-learn's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from distml.config.base import Task
from distml.errors import ConfigError, did_you_mean

Function = Callable[[np.ndarray, np.ndarray], float]


@dataclass(frozen=True)
class Metric:
    """A metric's name, which way is better, the tasks it is for, and its function (target, prediction) -> float."""

    name: str
    direction: Literal["maximize", "minimize"]
    tasks: tuple[Task, ...]
    function: Function

    def __call__(self, target: np.ndarray, prediction: np.ndarray) -> float:
        """The score; NaN where it is undefined, as AUC is on rows of one class and every metric on none."""
        if not len(target) or not np.isfinite(prediction).all():
            return float("nan")
        return float(self.function(target, prediction))

    def __reduce__(self) -> tuple[Any, ...]:
        return _known, (self.name,)

    @property
    def sign(self) -> int:
        """+1 when higher is better, -1 when lower is."""
        return 1 if self.direction == "maximize" else -1

    def better(self, score: float, than: float) -> bool:
        """Whether a score beats another; a number beats NaN.

        >>> METRICS["rmse"].better(1.0, 2.0), METRICS["roc_auc"].better(0.5, float("nan"))
        (True, True)
        """
        if np.isnan(than):
            return not np.isnan(score)
        return self.sign * score > self.sign * than


def _known(name: str) -> Metric:
    return METRICS[name]


def _roc_auc(target: np.ndarray, probabilities: np.ndarray) -> float:
    """Hanley and McNeil (1982); for k > 2 classes the unweighted mean of one class against the rest."""
    if probabilities.shape[1] == 2:
        return _ranked(target == 1, probabilities[:, 1])
    scores = [_ranked(target == k, probabilities[:, k]) for k in range(probabilities.shape[1])]
    known = [score for score in scores if not np.isnan(score)]
    return float(np.mean(known)) if known else np.nan


def _ranked(is_positive: np.ndarray, scores: np.ndarray) -> float:
    """The share of pairs of a positive and a negative row in which the positive one has the higher score, equal ones
    counted half; NaN without a pair. One sort and sums of integers: scikit-learn's takes twenty times as long."""
    order = np.argsort(scores)
    ordered = scores[order]
    ends = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))  # of each run of equal scores
    positives = np.append(0, np.cumsum(is_positive[order])[ends])
    negatives = np.append(0, ends + 1) - positives
    num_pairs = int(positives[-1]) * int(negatives[-1])
    if not num_pairs:
        return np.nan
    lower = np.sum(np.diff(positives) * (negatives[:-1] + negatives[1:]))  # negatives below, and half of those beside
    return float(lower / (2 * num_pairs))


def _average_precision(target: np.ndarray, probabilities: np.ndarray) -> float:
    from sklearn.metrics import average_precision_score

    return average_precision_score(target == 1, probabilities[:, 1]) if np.any(target == 1) else np.nan


def _log_loss(target: np.ndarray, probabilities: np.ndarray) -> float:
    chosen = probabilities[np.arange(len(target)), target]
    return -np.mean(np.log(np.clip(chosen, 1e-15, 1.0)))


def _accuracy(target: np.ndarray, probabilities: np.ndarray) -> float:
    return np.mean(probabilities.argmax(axis=1) == target)


def _brier(target: np.ndarray, probabilities: np.ndarray) -> float:
    """Brier (1950): mean squared distance to the true class's indicator, halved for two classes as is usual."""
    truth = np.eye(probabilities.shape[1])[target]
    return np.mean(np.sum((probabilities - truth) ** 2, axis=1)) / (2 if probabilities.shape[1] == 2 else 1)


def _f1(target: np.ndarray, probabilities: np.ndarray) -> float:
    from sklearn.metrics import f1_score

    average = "binary" if probabilities.shape[1] == 2 else "macro"
    return f1_score(target, probabilities.argmax(axis=1), average=average, zero_division=0.0)


def _rmse(target: np.ndarray, values: np.ndarray) -> float:
    return np.sqrt(np.mean((target - values) ** 2))


def _mae(target: np.ndarray, values: np.ndarray) -> float:
    return np.mean(np.abs(target - values))


def _r2(target: np.ndarray, values: np.ndarray) -> float:
    variance = np.sum((target - np.mean(target)) ** 2)
    return 1 - np.sum((target - values) ** 2) / variance if variance > 0 else np.nan


_CLASSES: tuple[Task, ...] = ("binary", "multiclass")
METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("roc_auc", "maximize", _CLASSES, _roc_auc),
        Metric("average_precision", "maximize", ("binary",), _average_precision),
        Metric("log_loss", "minimize", _CLASSES, _log_loss),
        Metric("accuracy", "maximize", _CLASSES, _accuracy),
        Metric("f1", "maximize", _CLASSES, _f1),
        Metric("brier", "minimize", _CLASSES, _brier),
        Metric("rmse", "minimize", ("regression",), _rmse),
        Metric("mae", "minimize", ("regression",), _mae),
        Metric("r2", "maximize", ("regression",), _r2),
    )
}
DEFAULT_METRIC: Mapping[Task, str] = {"binary": "roc_auc", "multiclass": "log_loss", "regression": "rmse"}


def metric_for(name: str, task: Task, where: str = "search.metric") -> Metric:
    """The metric of a name (`auto`: the task's default); `ConfigError` when it isn't one for the task."""
    if name == "auto":
        return METRICS[DEFAULT_METRIC[task]]
    known = [metric.name for metric in METRICS.values() if task in metric.tasks]
    if name not in known:
        near = did_you_mean(name, known)
        raise ConfigError(
            f"a metric for a {task} target",
            received=name,
            where=where,
            remedy=f"did you mean {near!r}?" if near else f"one of {', '.join(known)}",
        )
    return METRICS[name]


def score_all(task: Task, target: np.ndarray, prediction: np.ndarray) -> dict[str, float]:
    """Every metric of a task by name."""
    return {metric.name: metric(target, prediction) for metric in METRICS.values() if task in metric.tasks}


def decision_metrics(target: np.ndarray, called: np.ndarray) -> dict[str, float]:
    """What yes-or-no decisions are worth: precision is NaN where no row is called positive, recall where none is.

    target: int [n], 1 is positive; called: bool [n].

    >>> decision_metrics(np.array([0, 1, 1, 0]), np.array([True, True, False, False]))
    {'accuracy': 0.5, 'precision': 0.5, 'recall': 0.5, 'f1': 0.5}
    """
    positive = target == 1
    hits, num_called, num_positive = np.sum(called & positive), np.sum(called), np.sum(positive)
    return {
        "accuracy": _share(np.sum(called == positive), len(target)),
        "precision": _share(hits, num_called),
        "recall": _share(hits, num_positive),
        "f1": _share(2 * hits, num_called + num_positive),
    }


def _share(part: int, whole: int) -> float:
    return float(part / whole) if whole else float("nan")
