"""Which models to blend, and with what weights: greedy selection with replacement (Caruana et al. 2004)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from distml.metrics import Metric

ROUNDS = 50  # a weight is a multiple of 1 / ROUNDS or coarser
_PATIENCE = 5  # rounds that may pass without a better blend


def blended(outputs: Sequence[np.ndarray], weights: Sequence[float]) -> np.ndarray:
    """The weighted sum of models' outputs, each [n, k] probabilities or [n] standardised values."""
    total = outputs[0] * weights[0]
    for weight, output in zip(weights[1:], outputs[1:], strict=True):
        total = total + weight * output
    return total


def blend_weights(
    outputs: Sequence[np.ndarray], target: np.ndarray, metric: Metric, max_members: int, rounds: int = ROUNDS
) -> list[float]:
    """A weight per model, at most `max_members` of them above zero, together 1.

    outputs: of each model on the same held-out rows, [n, k] or [n]; target: what `metric` takes. The best single model
    comes first; then whichever makes the blend best is added to it, again and again. The best blend on the way is
    taken, so that it is never worse on these rows than the best model. Of equals the earlier one is taken.
    """
    assert outputs and max_members >= 1
    chosen = [_best([metric(target, output) for output in outputs], metric)]
    total, best_score, num_best = outputs[chosen[0]], metric(target, outputs[chosen[0]]), 1
    while max_members > 1 and len(chosen) < min(rounds, num_best + _PATIENCE):
        allowed = range(len(outputs)) if len(set(chosen)) < max_members else sorted(set(chosen))
        scores = [metric(target, (total + outputs[index]) / (len(chosen) + 1)) for index in allowed]
        best = _best(scores, metric)
        chosen.append(allowed[best])
        total = total + outputs[allowed[best]]
        if metric.better(scores[best], best_score):
            best_score, num_best = scores[best], len(chosen)
    counts = Counter(chosen[:num_best])
    return [counts[index] / num_best for index in range(len(outputs))]


def _best(scores: Sequence[float], metric: Metric) -> int:
    best = 0
    for index, score in enumerate(scores):
        if metric.better(score, scores[best]):
            best = index
    return best
