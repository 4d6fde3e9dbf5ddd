"""Greedy selection with replacement."""

from __future__ import annotations

import numpy as np
import pytest

from distml.metrics import METRICS
from distml.postprocess import blend_weights, blended

RMSE, AUC = METRICS["rmse"], METRICS["roc_auc"]


def noisy(rng, target, *deviations):
    return [target + rng.normal(scale=deviation, size=len(target)) for deviation in deviations]


def test_one_member_is_the_best_single_model():
    rng = np.random.default_rng(0)
    target = rng.normal(size=200)
    outputs = noisy(rng, target, 2.0, 0.5, 1.0)
    assert blend_weights(outputs, target, RMSE, 1) == [0.0, 1.0, 0.0]


def test_opposite_errors_are_halved():
    target = np.zeros(4)
    errors = np.array([1.0, -1.0, 1.0, -1.0])
    assert blend_weights([errors, -errors], target, RMSE, 2) == [0.5, 0.5]


@pytest.mark.parametrize("max_members", [1, 2, 3, 6])
def test_a_blend_is_never_worse_than_its_best_member_and_keeps_to_the_limit(max_members):
    rng = np.random.default_rng(1)
    target = rng.normal(size=300)
    outputs = noisy(rng, target, 1.0, 1.1, 1.2, 0.9, 3.0, 1.05)
    weights = blend_weights(outputs, target, RMSE, max_members)
    assert sum(weights) == pytest.approx(1.0) and min(weights) >= 0
    assert 1 <= sum(weight > 0 for weight in weights) <= max_members
    best = min(RMSE(target, output) for output in outputs)
    assert RMSE(target, blended(outputs, weights)) <= best + 1e-12


def test_more_members_than_one_help_where_errors_are_independent():
    rng = np.random.default_rng(2)
    target = rng.normal(size=2_000)
    outputs = noisy(rng, target, 1.0, 1.0, 1.0, 1.0)
    weights = blend_weights(outputs, target, RMSE, 4)
    assert RMSE(target, blended(outputs, weights)) < 0.6  # of four independent errors: 0.5


def test_probabilities_are_blended_by_a_metric_of_ranks():
    rng = np.random.default_rng(3)
    target = rng.integers(0, 2, 500)
    logits = [target + rng.normal(size=500) for _ in range(3)]
    outputs = [np.column_stack([1 - p, p]) for p in (1 / (1 + np.exp(-logit)) for logit in logits)]
    weights = blend_weights(outputs, target, AUC, 3)
    total = blended(outputs, weights)
    assert np.allclose(total.sum(axis=1), 1)
    assert AUC(target, total) >= max(AUC(target, output) for output in outputs)


def test_a_model_without_finite_outputs_is_never_taken():
    target = np.array([0.0, 1.0, 2.0])
    outputs = [np.full(3, np.nan), np.array([0.0, 1.0, 2.5])]
    assert blend_weights(outputs, target, RMSE, 2) == [0.0, 1.0]


def test_of_equal_models_the_first_is_taken():
    target = np.array([0.0, 1.0, 2.0])
    same = target + np.array([0.1, 0.0, 0.0])
    assert blend_weights([same, same.copy()], target, RMSE, 2) == [1.0, 0.0]
