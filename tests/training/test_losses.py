"""Losses by row, and what rows weigh."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight
from torch.nn import functional

from distml.config.train import TrainConfig
from distml.errors import ConfigError
from distml.metrics import metric_for
from distml.training import fit
from distml.training.losses import loss_for
from distml.training.weights import class_weights, weighed
from problems import problem, settings_of, spec_of

OUTPUTS = torch.tensor([[2.0, 0.0, -1.0], [0.5, 0.5, 0.0]])
CODES = torch.tensor([0, 2])
SHARES = torch.tensor([[0.7, 0.3, 0.0], [0.0, 0.1, 0.9]])
NUMBERS = torch.tensor([0.5, -3.0])


def losses(outputs, target, **config):
    task = "regression" if outputs.shape[-1] == 1 else "multiclass"
    return loss_for(spec_of("linear", task), TrainConfig(**config))(outputs, target)


def test_classes_are_scored_by_cross_entropy():
    expected = -torch.log_softmax(OUTPUTS, dim=1)[torch.arange(2), CODES]
    torch.testing.assert_close(losses(OUTPUTS, CODES), expected)


def test_shares_of_classes_are_targets_too():
    torch.testing.assert_close(losses(OUTPUTS, SHARES), -(SHARES * torch.log_softmax(OUTPUTS, dim=1)).sum(1))


@pytest.mark.parametrize("target", [CODES, SHARES], ids=["codes", "shares"])
def test_smoothing_deals_a_share_to_all_classes(target):
    shares = functional.one_hot(CODES, 3).float() if target is CODES else SHARES
    smooth = 0.8 * shares + 0.2 / 3
    torch.testing.assert_close(losses(OUTPUTS, target, label_smoothing=0.2), losses(OUTPUTS, smooth))


def test_numbers_are_scored_by_their_squared_error():
    torch.testing.assert_close(losses(torch.tensor([[1.0], [1.0]]), NUMBERS), torch.tensor([0.25, 16.0]))


def test_huber_is_linear_beyond_one_deviation():
    found = losses(torch.tensor([[1.0], [1.0]]), NUMBERS, loss="huber")
    torch.testing.assert_close(found, torch.tensor([0.125, 3.5]))


@pytest.mark.parametrize(
    ("outputs", "target"),
    [(OUTPUTS, CODES), (OUTPUTS, SHARES), (OUTPUTS[:, :1], NUMBERS)],
    ids=["codes", "shares", "numbers"],
)
def test_members_losses_are_averaged(outputs, target):
    members = torch.stack([outputs, outputs + torch.tensor([0.5, -1, 0.25])[: outputs.shape[1]], -outputs], dim=1)
    expected = torch.stack([losses(members[:, i], target) for i in range(3)]).mean(0)
    torch.testing.assert_close(losses(members, target), expected)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=50))
def test_balanced_weights_are_scikit_learns(codes):
    target = np.array(codes)
    known = np.unique(target)
    expected = compute_class_weight("balanced", classes=known, y=target)
    np.testing.assert_allclose(class_weights(target, np.ones(len(target)))[known], expected)


def test_balanced_classes_weigh_the_same_whatever_rows_weigh():
    batch = problem("multiclass", n=90)
    own = np.linspace(0.1, 3, 90).astype(np.float32)
    weight = weighed(replace(batch, weight=own), TrainConfig(class_weights="balanced")).weight
    sums = np.bincount(batch.target, weights=weight)
    np.testing.assert_allclose(sums, own.sum() / 3, rtol=1e-5)


def test_without_balance_rows_stay_as_they_are():
    batch = problem("binary", n=10)
    assert weighed(batch, TrainConfig()) is batch


@pytest.mark.parametrize(
    ("task", "config"),
    [
        ("regression", {"class_weights": "balanced"}),
        ("regression", {"label_smoothing": 0.1}),
        ("binary", {"loss": "huber"}),
        ("multiclass", {"loss": "huber"}),
    ],
)
@pytest.mark.parametrize("family", ["linear", "trees"])
def test_what_does_not_go_with_the_target_is_refused(family, task, config):
    (name,) = config
    with pytest.raises(ConfigError, match=f"train.{name}: .* is for targets that are"):
        fit(spec_of(family, task), problem(task, n=20), None, metric_for("auto", task), settings_of(**config))


@pytest.mark.parametrize("family", ["linear", "trees"])
def test_balance_makes_a_rare_class_count(family):
    train = problem("binary", n=300, noise=2.0)
    rare = train.take(np.flatnonzero((train.target == 0) | (np.arange(300) % 10 == 0)))
    means = []
    for config in ({}, {"class_weights": "balanced"}):
        settings = settings_of(max_epochs=5, **config)
        model = fit(spec_of(family, "binary"), rare, None, metric_for("auto", "binary"), settings).model
        means.append(model.predict(train)[:, 1].mean())
    assert means[1] > means[0] + 0.1
