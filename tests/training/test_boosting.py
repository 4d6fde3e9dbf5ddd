"""Trees by epochs of boosting rounds."""

import numpy as np
import pytest

from distml.errors import TrainingError
from distml.metrics import metric_for
from distml.models.trees import ROUNDS_PER_EPOCH, matrix
from distml.training import fit
from problems import TASKS, problem, settings_of, spec_of


def run(task, params=None, n=300, **settings):
    epochs = []
    validation = problem(task, n=150, seed=1)
    result = fit(
        spec_of("trees", task, params), problem(task, n=n), validation, metric_for("auto", task),
        settings_of(**{"max_epochs": 6, "patience": 6, **settings}), epochs.append,
    )  # fmt: skip
    return result, epochs, validation


@pytest.mark.parametrize("task", TASKS)
def test_scores_added_up_are_those_of_the_whole_model(task):
    metric = metric_for("auto", task)
    # So slow a learner that the last epoch is the best, and the model kept holds every tree.
    result, epochs, validation = run(task, {"lr": 0.005})
    assert result.best_epoch == 6
    trees_per_round = 3 if task == "multiclass" else 1
    assert result.model.booster.num_trees() == 6 * ROUNDS_PER_EPOCH * trees_per_round
    for epoch in epochs:
        native = result.model.booster.predict(matrix(validation), num_iteration=epoch.epoch * ROUNDS_PER_EPOCH)
        scores = np.column_stack([1 - native, native]) if task == "binary" else native
        assert metric(validation.target, scores) == pytest.approx(epoch.score, abs=1e-9)


@pytest.mark.parametrize("task", TASKS)
def test_trees_that_find_no_split_predict_the_mean(task):
    """LightGBM then drops each round's tree, so there are fewer rounds than were asked for."""
    metric = metric_for("auto", task)
    result, epochs, validation = run(task, {"min_child_samples": 1000}, patience=2)
    assert len(np.unique(result.model.predict(validation), axis=0)) == 1
    assert metric(validation.target, result.model.predict(validation)) == pytest.approx(epochs[-1].score)


@pytest.mark.parametrize("task", TASKS)
def test_trees_that_stop_growing_keep_their_score(task):
    metric = metric_for("auto", task)
    params = {"lr": 0.5, "min_child_samples": 15, "num_leaves": 2, "lambda_l2": 0.0}
    result, epochs, validation = run(task, params, n=32, max_epochs=30, patience=30)
    best = result.best_epoch
    assert metric(validation.target, result.model.predict(validation)) == pytest.approx(epochs[best - 1].score)


def test_only_the_best_epochs_trees_are_kept():
    result, _, _ = run("binary", {"lr": 0.5}, max_epochs=40, patience=3)
    assert result.best_epoch < result.num_epochs
    assert result.model.booster.num_trees() == result.best_epoch * ROUNDS_PER_EPOCH


def test_trees_know_no_training_loss():
    _, epochs, _ = run("binary")
    assert all(np.isnan(epoch.train_loss) for epoch in epochs)


@pytest.mark.parametrize("params", [{"num_leaves": 1}, {"feature_fraction": 2.0}])
def test_what_lightgbm_refuses_ends_the_fit(params):
    (name,) = params
    with pytest.raises(TrainingError, match=name) as caught:
        run("binary", params)
    assert "\n" not in str(caught.value)
