"""Trials chosen and calibrated on held-out rows."""

from __future__ import annotations

import numpy as np
import pytest

from distml.config import PostprocessConfig
from distml.lifecycle.choosing import HeldOut, choose
from distml.metrics import METRICS
from distml.postprocess.calibration import Temperature
from distml.scaling import LinearScale
from distml.target import ClassTarget, NumericTarget, own_unit
from distml.tune import TrialRecord

NUMBER = NumericTarget(mean=0.0, scaling=LinearScale(center=0.0, scale=2.0))
PLAIN = PostprocessConfig(calibration="none")


def record(number, family="mlp"):
    return TrialRecord(number=number, family=family, params={}, state="finished", score=0.0)


def held_out(target):
    return HeldOut(target=target, weight=None)


def numbers(seed=0, n=400):
    rng = np.random.default_rng(seed)
    target = rng.normal(size=n)
    return target, {k: target + rng.normal(scale=0.5, size=n) for k in (1, 2, 3)}


def test_one_member_is_the_searchs_best_whatever_the_others_do():
    target, outputs = numbers()
    choice = choose(record(2), [record(1), record(2), record(3)], outputs, held_out(target),
                    own_unit(METRICS["rmse"], NUMBER), NUMBER, 1, PLAIN)  # fmt: skip
    assert choice.to_list() == [{"trial": 2, "family": "mlp", "params": {}, "weight": 1.0}]
    assert choice.postprocess.weights == (1.0,) and choice.outputs[0] is outputs[2]


def test_a_blend_is_of_trials_whose_outputs_are_known_heaviest_first():
    target, outputs = numbers()
    metric = own_unit(METRICS["rmse"], NUMBER)
    choice = choose(record(1), [record(n) for n in (1, 2, 3, 4)], outputs, held_out(target), metric, NUMBER, 4, PLAIN)
    weights = [weight for _, weight in choice.members]
    assert {r.number for r, _ in choice.members} == {1, 2, 3}
    assert weights == sorted(weights, reverse=True) and sum(weights) == pytest.approx(1)
    assert choice.postprocess.weights == tuple(weights)
    prediction = choice.postprocess(choice.outputs)
    assert METRICS["rmse"](NUMBER.decode(target), prediction.values) < metric(target, outputs[1])


def classes(n=3_000, sharpness=3.0, seed=0):
    rng = np.random.default_rng(seed)
    logit = rng.normal(size=n) - 1.5
    target = (rng.random(n) < 1 / (1 + np.exp(-logit))).astype(np.int64)
    claimed = 1 / (1 + np.exp(-sharpness * logit))
    return target, {1: np.column_stack([1 - claimed, claimed])}


def test_calibration_and_then_the_threshold_are_fitted():
    target, outputs = classes()
    config = PostprocessConfig.model_validate({"calibration": "temperature", "threshold": {"maximize": "f1"}})
    choice = choose(record(1), [record(1)], outputs, held_out(target), METRICS["roc_auc"],
                    ClassTarget(labels=("no", "yes")), 1, config)  # fmt: skip
    after = choice.postprocess
    assert isinstance(after.calibration, Temperature) and after.calibration.temperature == pytest.approx(3.0, rel=0.15)
    # The odds that maximise F1 lie below one half where few rows are positive.
    assert 0.1 < after.threshold < 0.5
    prediction = after(choice.outputs)
    assert METRICS["log_loss"](target, prediction.scores) < METRICS["log_loss"](target, outputs[1])


def test_several_classes_have_no_threshold():
    rng = np.random.default_rng(0)
    outputs = {1: rng.dirichlet(np.ones(3), size=50)}
    choice = choose(record(1), [record(1)], outputs, held_out(rng.integers(0, 3, 50)), METRICS["log_loss"],
                    ClassTarget(labels=("a", "b", "c")), 1,
                    PostprocessConfig.model_validate({"threshold": {"maximize": "accuracy"}}))  # fmt: skip
    assert choice.postprocess.threshold == 0.5
