"""Thresholds, against every threshold tried one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score

from distml.config import ThresholdConfig
from distml.postprocess import fit_threshold

MEASURES = {
    "f1": lambda target, called: f1_score(target, called, zero_division=0.0),
    "accuracy": accuracy_score,
    "balanced_accuracy": balanced_accuracy_score,
}


def rows(n=300, seed=0):
    rng = np.random.default_rng(seed)
    target = (rng.random(n) < 0.2).astype(int)
    positive = np.clip(0.25 + 0.2 * target + rng.normal(scale=0.15, size=n), 0, 1).round(2)  # with equals
    return positive, target


def every_cut(positive):
    return [*(np.unique(positive)), 1.1]


@pytest.mark.parametrize("measure", sorted(MEASURES))
def test_no_other_threshold_is_better(measure):
    positive, target = rows()
    threshold = fit_threshold(ThresholdConfig(maximize=measure), positive, target)
    score = MEASURES[measure](target, positive >= threshold)
    assert score == pytest.approx(max(MEASURES[measure](target, positive >= cut) for cut in every_cut(positive)))


def test_the_least_cost_is_found():
    positive, target = rows()
    config = ThresholdConfig.model_validate({"cost": {"false_positive": 1, "false_negative": 7}})

    def cost(threshold):
        called = positive >= threshold
        return np.sum(called & (target == 0)) + 7 * np.sum(~called & (target == 1))

    assert cost(fit_threshold(config, positive, target)) == min(cost(cut) for cut in every_cut(positive))


def test_recall_is_highest_at_the_precision_asked_for():
    positive, target = rows()
    threshold = fit_threshold(ThresholdConfig(min_precision=0.6), positive, target)

    def precision_and_recall(cut):
        called = positive >= cut
        hits = np.sum(called & (target == 1))
        return hits / max(called.sum(), 1), hits / target.sum()

    precision, recall = precision_and_recall(threshold)
    assert precision >= 0.6
    assert recall == max(r for p, r in map(precision_and_recall, every_cut(positive)) if p >= 0.6)


def test_a_precision_out_of_reach_gives_the_highest():
    positive, target = np.array([0.9, 0.8, 0.1, 0.7]), np.array([0, 1, 0, 1])
    threshold = fit_threshold(ThresholdConfig(min_precision=0.99), positive, target)
    assert np.mean(target[positive >= threshold]) == pytest.approx(2 / 3)


def test_a_number_is_taken_as_it_is():
    assert fit_threshold(0.3, *rows()) == 0.3


def test_weights_count_as_rows_do():
    positive, target = rows(60)
    weight = np.arange(60) % 3
    again = np.repeat(np.arange(60), weight)
    config = ThresholdConfig(maximize="f1")
    weighted = fit_threshold(config, positive, target, weight.astype(float))
    assert (positive[again] >= weighted).tolist() == (
        positive[again] >= fit_threshold(config, positive[again], target[again])
    ).tolist()


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 1)), min_size=1, max_size=30))
def test_a_threshold_lies_between_zero_and_one_whatever_the_rows(pairs):
    positive, target = np.array([p for p, _ in pairs]), np.array([t for _, t in pairs])
    for measure in MEASURES:
        assert 0 <= fit_threshold(ThresholdConfig(maximize=measure), positive, target) <= 1
