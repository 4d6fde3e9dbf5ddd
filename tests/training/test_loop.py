"""The networks' loop: going on from a checkpoint, diverging, dealing rows."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from distml.errors import TrainingError
from distml.metrics import METRICS
from distml.storage import Storage
from distml.training import fit
from distml.training.base import Notes
from distml.training.checkpoint import Checkpoint
from distml.training.deck import Deck, auto_batch_size
from distml.training.loop import NetworkLearner
from problems import problem, settings_of, spec_of

SETTINGS = settings_of(max_epochs=30, patience=3, seed=5, checkpoint_interval_s=0)
TRAIN, VALIDATION = problem("binary", n=120, noise=2.0), problem("binary", n=60, noise=2.0, seed=1)
SPEC = spec_of("mlp", "binary", {"width": 16, "dropout": 0.3, "lr": 0.02})


class Killed(Exception):
    pass


def curve(settings, kill_at=None, validation=VALIDATION):
    """The fit's result, None if it was killed, and what it told of: epoch, loss, score, best score."""
    told = []

    def on_epoch(result):
        told.append((result.epoch, result.train_loss, result.score, result.best_score, result.best_epoch))
        if result.epoch == kill_at:
            raise Killed

    try:
        return fit(SPEC, TRAIN, validation, METRICS["roc_auc"], settings, on_epoch), told
    except Killed:
        return None, told


@pytest.fixture(scope="module")
def whole():
    result, told = curve(SETTINGS)
    assert result.best_epoch + 3 == result.num_epochs < 30, "the problem is one where the fit stops early"
    return result, told


def weights(result):
    return result.model.module.state_dict()


# The last of these is where the fit stops early: going on must not train another epoch.
@pytest.mark.parametrize("kill_at", ["first", "best", "after best", "last"])
def test_a_killed_fit_goes_on_as_if_it_had_not_been(kill_at, whole, tmp_path):
    result, told = whole
    epoch = {"first": 1, "best": result.best_epoch, "after best": result.best_epoch + 1, "last": result.num_epochs}
    settings = replace(SETTINGS, checkpoint=Checkpoint(Storage(tmp_path), "fit.pt"))
    _, before = curve(settings, epoch[kill_at])
    resumed, after = curve(settings)
    assert after == told, "the epochs before are told of again"
    assert before == told[: len(before)]
    assert (resumed.best_epoch, resumed.best_score, resumed.num_epochs) == (
        result.best_epoch, result.best_score, result.num_epochs,
    )  # fmt: skip
    assert all(torch.equal(a, b) for a, b in zip(weights(resumed).values(), weights(result).values(), strict=True))


def test_a_fit_without_validation_goes_on_too(tmp_path):
    result, told = curve(SETTINGS, validation=None)
    settings = replace(SETTINGS, checkpoint=Checkpoint(Storage(tmp_path), "fit.pt"))
    _, before = curve(settings, 7, validation=None)
    resumed, after = curve(settings, validation=None)
    assert after == told
    assert before == told[:7]
    assert all(torch.equal(a, b) for a, b in zip(weights(resumed).values(), weights(result).values(), strict=True))


def test_within_the_interval_no_checkpoint_is_written(tmp_path):
    checkpoint = Checkpoint(Storage(tmp_path), "fit.pt")
    curve(settings_of(max_epochs=2, checkpoint_interval_s=1e6, checkpoint=checkpoint))
    assert checkpoint.load() is None


def with_infinity(batch):
    numeric = batch.numeric.copy()
    numeric[3, 0] = np.inf
    return replace(batch, numeric=numeric)


@pytest.mark.parametrize(
    ("params", "train", "validation", "rule"),
    [
        ({"lr": 1e30}, TRAIN, VALIDATION, "a training loss is a number"),
        ({}, with_infinity(TRAIN), VALIDATION, "a training loss is a number"),
        ({}, TRAIN, with_infinity(VALIDATION), "a validation score is a number"),
    ],
    ids=["learning rate", "training input", "validation input"],
)
@pytest.mark.parametrize("family", ["linear", "mlp"])
def test_what_is_no_number_ends_the_fit(family, params, train, validation, rule):
    with pytest.raises(TrainingError, match=rule):
        fit(spec_of(family, "binary", params), train, validation, METRICS["roc_auc"], SETTINGS)


def test_rows_of_no_weight_are_as_if_absent():
    spec, metric = spec_of("linear", "regression"), METRICS["rmse"]
    batch = problem("regression", n=60)
    settings = settings_of(max_epochs=20, batch_size=60)
    weight = (np.arange(60) < 40).astype(np.float32)
    masked = fit(spec, replace(batch, weight=weight), None, metric, settings).model.predict(batch)
    absent = fit(spec, batch.take(slice(0, 40)), None, metric, settings).model.predict(batch)
    np.testing.assert_allclose(masked, absent, atol=1e-5)


def dealt(seed, epoch, batch_size=32, n=100):
    batch = problem("regression", n=n)
    settings = settings_of(seed=seed, batch_size=batch_size)
    deck = Deck(batch, spec_of("linear", "regression"), torch.device("cpu"), settings)
    return [part.numeric.numpy() for part in deck.steps(epoch)], batch.numeric


def test_an_epoch_deals_every_row_once():
    parts, numeric = dealt(seed=1, epoch=1)
    assert [len(part) for part in parts] == [32, 32, 32, 4]
    np.testing.assert_array_equal(np.sort(np.concatenate(parts), axis=0), np.sort(numeric, axis=0))


@pytest.mark.parametrize(("seed", "epoch", "alike"), [(1, 1, True), (1, 2, False), (2, 1, False)])
def test_the_order_comes_from_seed_and_epoch(seed, epoch, alike):
    first, _ = dealt(seed=1, epoch=1)
    other, _ = dealt(seed=seed, epoch=epoch)
    assert np.array_equal(np.concatenate(first), np.concatenate(other)) is alike


@pytest.mark.parametrize(
    ("num_rows", "size"), [(0, 32), (1, 32), (4500, 32), (4600, 64), (100_000, 1024), (10**9, 1024)]
)
def test_the_automatic_batch_size(num_rows, size):
    assert auto_batch_size(num_rows) == size


@pytest.mark.parametrize("num_rows", [65, 66])
def test_a_single_row_left_over_is_no_batch_of_its_own(num_rows):
    """Batch normalisation can make nothing of one."""
    settings, losses = settings_of(max_epochs=1, batch_size=32), []
    rows = problem("binary", n=num_rows)
    result = fit(
        spec_of("resnet", "binary"), rows, None, METRICS["roc_auc"], settings,
        lambda epoch: losses.append(epoch.train_loss),
    )  # fmt: skip
    assert len(losses) == 1 and np.isfinite(losses).all()
    assert np.isfinite(result.fitted.predict(rows)).all()


def test_the_rate_of_each_step_is_the_schedules():
    learner = NetworkLearner(SPEC, TRAIN, settings_of(max_epochs=3, batch_size=50, schedule="linear"), Notes(print))
    heard = []
    learner.gradients = lambda rows: heard.append(learner.optimizer.rate) or torch.tensor(1.0)
    for number in (1, 2, 3):
        learner.epoch(number)
    assert heard == pytest.approx([0.02 * (1 - step / 9) for step in range(9)])


@pytest.mark.parametrize("clip_norm", [0.01, None])
def test_gradients_are_clipped_where_it_is_asked_for(clip_norm):
    learner = NetworkLearner(SPEC, TRAIN, settings_of(batch_size=120, clip_norm=clip_norm), Notes(print))
    learner.epoch(1)
    length = float(torch.cat([weight.grad.flatten() for weight in learner.module.parameters()]).norm())
    assert length > 0.05 if clip_norm is None else length == pytest.approx(0.01, rel=1e-3)


def test_what_decays_is_the_networks_to_say():
    spec = replace(SPEC, params={**SPEC.params, "weight_decay": 0.3})
    groups = NetworkLearner(spec, TRAIN, settings_of(), Notes(print)).optimizer.state()["adamw"]["param_groups"]
    assert sorted({group["weight_decay"] for group in groups}) == [0.0, 0.3]
