"""A fit over folds: each row's outputs are by a learner that has not seen it."""

from dataclasses import replace

import numpy as np
import pytest

from distml.errors import TrainingError
from distml.metrics import METRICS, metric_for
from distml.training import fit, fit_folds, seeds
from problems import TASKS, problem, settings_of, spec_of

families = pytest.mark.parametrize("family", ["linear", "mlp", "trees"])
SETTINGS = settings_of(max_epochs=4, patience=4, seed=3)


def dealt(task="binary", n=150, num_folds=3, seed=0, **shape):
    fold = np.random.default_rng(seed).integers(0, num_folds, n).astype(np.int8)
    return replace(problem(task, n=n, **shape), fold=fold)


@families
@pytest.mark.parametrize("task", TASKS)
def test_outputs_are_out_of_fold_in_the_order_of_rows(family, task):
    """As if each fold had been fitted on its own, for as many epochs as were best for all of them."""
    rows, metric = dealt(task), metric_for("auto", task)
    spec = spec_of(family, task)
    result = fit_folds(spec, rows, metric, SETTINGS)
    expected = np.zeros_like(result.outputs)
    for fold in range(3):
        settings = replace(SETTINGS, seed=seeds.of_fold(3, fold), until_epoch=result.best_epoch)
        others = fit(spec, rows.take(rows.fold != fold), None, metric, settings).model
        expected[rows.fold == fold] = others.predict(rows.take(rows.fold == fold))
    np.testing.assert_allclose(result.outputs, expected, atol=1e-12)
    assert result.best_score == metric(rows.target, result.outputs)
    assert result.model is None


def test_a_target_that_follows_from_nothing_is_not_learnt():
    """What memorises its rows would know them."""
    rows = dealt(n=240)
    rows.target[:] = np.random.default_rng(1).integers(0, 2, 240)
    spec = spec_of("trees", "binary", {"min_child_samples": 1, "num_leaves": 60, "lr": 0.5})
    result = fit_folds(spec, rows, METRICS["roc_auc"], SETTINGS)
    assert abs(METRICS["roc_auc"](rows.target, result.outputs) - 0.5) < 0.1


@families
def test_epochs_are_told_and_stop_as_in_any_fit(family):
    told = []
    rows = dealt(noise=2.0)
    settings = settings_of(max_epochs=60, patience=2, seed=3)
    result = fit_folds(spec_of(family, "binary", {"lr": 0.1}), rows, METRICS["roc_auc"], settings, told.append)
    scores = [epoch.score for epoch in told]
    assert result.best_score == max(scores)
    assert result.best_epoch == scores.index(max(scores)) + 1
    assert result.num_epochs == len(told) == result.best_epoch + 2


@pytest.mark.parametrize("numbers", [[0, 3, 7], [-1, 0, 1]])
def test_folds_may_have_any_numbers(numbers):
    rows = dealt(num_folds=3)
    other = replace(rows, fold=np.array(numbers, np.int8)[rows.fold])
    spec = spec_of("linear", "binary")
    first, second = (fit_folds(spec, each, METRICS["roc_auc"], SETTINGS) for each in (rows, other))
    np.testing.assert_array_equal(first.outputs, second.outputs)


def test_one_fold_is_none():
    with pytest.raises(TrainingError, match="rows of two or more; received 1"):
        fit_folds(spec_of("linear", "binary"), dealt(num_folds=1), METRICS["roc_auc"], SETTINGS)
