"""The threshold of a binary decision: the positive probability that serves what a user asked for best."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from distml.config.postprocess import CostConfig, ThresholdConfig


@dataclass(frozen=True)
class _Counts:
    """How m decisions come out on rows of held-out data, each float64 [m]: weighted counts."""

    true_positive: np.ndarray
    false_positive: np.ndarray
    positive: float
    negative: float

    @property
    def recall(self) -> np.ndarray:
        return _ratio(self.true_positive, np.full_like(self.true_positive, self.positive))

    @property
    def precision(self) -> np.ndarray:
        return _ratio(self.true_positive, self.true_positive + self.false_positive)

    @property
    def specificity(self) -> np.ndarray:
        return 1 - _ratio(self.false_positive, np.full_like(self.false_positive, self.negative))

    def cost(self, costs: CostConfig) -> np.ndarray:
        missed = self.positive - self.true_positive
        return costs.false_positive * self.false_positive + costs.false_negative * missed


def _f1(counts: _Counts) -> np.ndarray:
    wrong = counts.false_positive + counts.positive - counts.true_positive
    return _ratio(2 * counts.true_positive, 2 * counts.true_positive + wrong)


def _accuracy(counts: _Counts) -> np.ndarray:
    right = counts.true_positive + counts.negative - counts.false_positive
    return right / (counts.positive + counts.negative)


_MEASURES: dict[str, Callable[[_Counts], np.ndarray]] = {
    "f1": _f1,
    "accuracy": _accuracy,
    "balanced_accuracy": lambda counts: (counts.recall + counts.specificity) / 2,
}


def fit_threshold(
    config: float | ThresholdConfig, positive: np.ndarray, target: np.ndarray, weight: np.ndarray | None = None
) -> float:
    """The threshold that a config asks for; rows from it on are positive.

    positive: probability of the positive class on held-out rows, float64 [n]; target: int [n], 1 is positive. Between
    two rows' probabilities the middle is taken, and of equally good thresholds the one nearest to one half. A
    `min_precision` that no threshold reaches gives the threshold of the highest precision.
    """
    if isinstance(config, float):
        return config
    cuts, counts = _decisions(positive, target, np.ones(len(target)) if weight is None else weight)
    if config.maximize is not None:
        value = _MEASURES[config.maximize](counts)
    elif config.cost is not None:
        value = -counts.cost(config.cost)
    else:
        enough = counts.precision >= config.min_precision
        value = np.where(enough, 1 + counts.recall, counts.precision) if enough.any() else counts.precision
    best = np.flatnonzero(value >= value.max() - 1e-12)
    return float(cuts[best[np.argmin(np.abs(cuts[best] - 0.5))]])


def _decisions(positive: np.ndarray, target: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, _Counts]:
    """Every cut that decides the rows otherwise, and how each comes out; the last one calls no row positive."""
    order = np.argsort(-positive, kind="stable")
    scores, is_positive = positive[order], target[order] == 1
    weights = weight[order].astype(float)
    last_of_equals = np.flatnonzero(np.append(np.diff(scores) != 0, True))
    hits, misses = np.cumsum(weights * is_positive), np.cumsum(weights * ~is_positive)
    below = np.append(scores[1:], 0.0)[last_of_equals]
    cuts = np.append((scores[last_of_equals] + below) / 2, 1.0)
    counts = _Counts(
        true_positive=np.append(hits[last_of_equals], 0.0),
        false_positive=np.append(misses[last_of_equals], 0.0),
        positive=float(hits[-1]) if len(hits) else 0.0,
        negative=float(misses[-1]) if len(misses) else 0.0,
    )
    return cuts, counts


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """part / whole, 0 where whole is 0."""
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
