"""What every family's fit does: repeats, learns, stops, weighs."""

from dataclasses import replace

import numpy as np
import pytest

from distml.errors import TrainingError
from distml.metrics import METRICS, metric_for
from distml.models import FAMILIES
from distml.training import EpochResult, FitResult, fit
from distml.training.base import EarlyStopping
from problems import TASKS, problem, read_only, settings_of, spec_of

FITTED = [name for name, family in FAMILIES.items() if not family.is_open and not family.needs_images]
families = pytest.mark.parametrize("family", FITTED)
tasks = pytest.mark.parametrize("task", TASKS)
SETTINGS = settings_of(max_epochs=8, patience=8, seed=3)


def run(family, task="binary", settings=SETTINGS, *, train=None, validation=None, params=None):
    """A fit and the epochs that it told of."""
    epochs: list[EpochResult] = []
    train = problem(task) if train is None else train
    validation = problem(task, n=150, seed=1) if validation is None else validation
    result = fit(spec_of(family, task, params), train, validation, metric_for("auto", task), settings, epochs.append)
    return result, epochs


def outputs(result: FitResult, task="binary") -> np.ndarray:
    return result.model.predict(problem(task, n=80, seed=2))


def dummy(task, target, train_target) -> np.ndarray:
    """What one predicts who knows nothing of the row."""
    if task == "regression":
        return np.full(len(target), train_target.mean())
    return np.tile(np.bincount(train_target) / len(train_target), (len(target), 1))


@families
@tasks
def test_learns(family, task):
    metric = metric_for("auto", task)
    train, held_out = problem(task, n=600), problem(task, n=400, seed=5)
    result, _ = run(family, task, settings_of(max_epochs=15, seed=3), train=train)
    own = metric(held_out.target, result.model.predict(held_out))
    known_nothing = metric(held_out.target, dummy(task, held_out.target, train.target))
    if metric.name == "roc_auc":
        assert known_nothing == 0.5
        assert own > 0.9
    else:
        assert own < 0.7 * known_nothing


@families
@tasks
def test_the_same_seed_gives_the_same_model(family, task):
    first, second = run(family, task), run(family, task)
    np.testing.assert_array_equal(outputs(first[0], task), outputs(second[0], task))
    assert [epoch.score for epoch in first[1]] == [epoch.score for epoch in second[1]]


@families
def test_another_seed_gives_another_model(family):
    first, second = run(family)[0], run(family, settings=replace(SETTINGS, seed=4))[0]
    assert (outputs(first) != outputs(second)).any()


@families
@tasks
def test_keeps_the_best_epoch_and_stops_after_patience(family, task):
    settings = settings_of(max_epochs=60, patience=3, seed=3)
    validation = problem(task, n=60, seed=1, noise=2.0)
    train = problem(task, n=120, noise=2.0)
    metric = metric_for("auto", task)
    result, epochs = run(family, task, settings, train=train, validation=validation, params={"lr": 0.1})
    scores = [epoch.score for epoch in epochs]
    best = (max if metric.sign > 0 else min)(scores)
    assert result.best_score == best
    assert result.best_epoch == scores.index(best) + 1
    assert result.num_epochs == result.best_epoch + 3 == len(epochs)
    assert metric(validation.target, result.model.predict(validation)) == pytest.approx(best, abs=1e-9)


@families
def test_tells_of_every_epoch_in_order(family):
    result, epochs = run(family)
    assert [epoch.epoch for epoch in epochs] == list(range(1, 9))
    assert result.num_epochs == 8
    for i, epoch in enumerate(epochs, start=1):
        scores = [earlier.score for earlier in epochs[:i]]
        assert epoch.best_score == max(scores)
        assert epoch.best_epoch == scores.index(max(scores)) + 1
    seconds = [epoch.seconds for epoch in epochs]
    assert seconds == sorted(seconds)


@families
@tasks
def test_without_validation_the_last_epoch_is_kept(family, task):
    epochs: list[EpochResult] = []
    metric, spec, train = metric_for("auto", task), spec_of(family, task), problem(task)
    result = fit(spec, train, None, metric, SETTINGS, epochs.append)
    assert (result.best_epoch, result.num_epochs, result.best_score) == (8, 8, None)
    assert [(epoch.score, epoch.best_score, epoch.best_epoch) for epoch in epochs] == [
        (None, None, i) for i in range(1, 9)
    ]
    one_less = fit(spec, train, None, metric, settings_of(max_epochs=7, seed=3))
    assert (outputs(one_less, task) != outputs(result, task)).any()


@families
def test_heavier_rows_count_for_more(family):
    train = problem("binary", noise=2.0)
    plain = run(family, train=train)[0]
    weight = np.where(train.target == 1, 10, 1).astype(np.float32)
    heavy = run(family, train=replace(train, weight=weight))[0]
    assert outputs(heavy)[:, 1].mean() > outputs(plain)[:, 1].mean() + 0.1


@families
def test_ones_are_the_weights_of_rows_without(family):
    train = problem("binary")
    weighted = replace(train, weight=np.ones(len(train), np.float32))
    np.testing.assert_array_equal(outputs(run(family)[0]), outputs(run(family, train=weighted)[0]))


@families
@pytest.mark.filterwarnings("error")
def test_read_only_arrays_are_taken_without_a_warning(family, always_warn):
    train, validation = read_only(problem("binary")), read_only(problem("binary", n=150, seed=1))
    result, _ = run(family, train=train, validation=validation)
    np.testing.assert_array_equal(outputs(result), outputs(run(family)[0]))
    assert len(result.model.predict(validation)) == 150


@pytest.fixture
def always_warn():
    """torch warns of some things once per process."""
    import torch

    torch.set_warn_always(True)
    yield
    torch.set_warn_always(False)


@families
def test_a_score_that_is_no_number_ends_the_fit(family):
    one_class = problem("binary", n=40)
    one_class.target[:] = 1  # its AUC is undefined
    with pytest.raises(TrainingError, match="a validation score is a number; received nan in epoch 1"):
        run(family, validation=one_class)


def test_early_stopping_ignores_equal_and_undefined_scores():
    stopping = EarlyStopping(METRICS["roc_auc"], patience=2)
    assert [stopping.update(i, score) for i, score in enumerate([0.5, np.nan, 0.5, 0.6], start=1)] == [
        True, False, False, True,
    ]  # fmt: skip
    assert (stopping.best_epoch, stopping.best_score) == (4, 0.6)


@pytest.mark.parametrize(("epoch", "is_over"), [(4, False), (5, False), (6, True), (7, True)])
def test_patience_counts_from_the_best_epoch(epoch, is_over):
    stopping = EarlyStopping(METRICS["rmse"], patience=2)
    stopping.update(4, 1.0)
    assert stopping.is_over(epoch) is is_over
