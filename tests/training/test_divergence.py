"""Losses that end a fit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distml.errors import TrainingError
from distml.metrics import METRICS
from distml.training import fit
from distml.training.divergence import FACTOR, NUM_EPOCHS, Divergence
from problems import problem, settings_of, spec_of

NAN = float("nan")


def lost_at(losses) -> int | None:
    """The epoch at which a fit of these losses is lost."""
    watch = Divergence(lr=0.1)
    for epoch, loss in enumerate(losses, start=1):
        try:
            watch.check(epoch, loss)
        except TrainingError:
            return epoch
    return None


@pytest.mark.parametrize(
    ("losses", "epoch"),
    [
        ([1.0, 0.5, 9.0, 9.0, 9.0], 5),
        ([1.0, 0.5, 9.0, 9.0, 2.0, 9.0, 9.0], None),  # it came back
        ([1.0, 0.5, 4.9, 4.9, 4.9], None),  # not ten times the best
        ([1.0, 0.01, 0.9, 0.9, 0.9], None),  # ten times the best, and still less than at first
        ([1e6, 0.5, 9.0, 9.0, 9.0], None),  # it began badly
        ([NAN] * 9, None),  # trees don't know theirs
    ],
)
def test_a_fit_is_lost_where_it_knows_less_than_at_first_for_epochs_on_end(losses, epoch):
    assert lost_at(losses) == epoch


@given(st.lists(st.floats(1e-9, 1e9), min_size=1, max_size=30))
def test_losses_that_fall_are_no_divergence(losses):
    assert lost_at(sorted(losses, reverse=True)) is None


@given(st.lists(st.floats(1e-9, 1e9), min_size=1, max_size=30))
def test_no_loss_below_ten_times_the_best_is_one(losses):
    best = losses[0]
    bounded = [best]
    for loss in losses[1:]:
        bounded.append(min(loss, FACTOR * best))
        best = min(best, loss)
    assert lost_at(bounded) is None


def test_the_error_names_epoch_loss_rate_and_remedy():
    watch = Divergence(lr=0.125)
    watch.losses = [1.0, 0.5] + [50.0] * (NUM_EPOCHS - 1)
    with pytest.raises(TrainingError) as caught:
        watch.check(5, 50.0)
    assert str(caught.value) == (
        "a training loss falls; received 50 in epoch 5, 3 epochs after it was 0.5 at best; in a fit at a learning rate "
        "of 0.125. Remedy: lower the learning rate."
    )


def test_a_fit_that_blows_up_says_where_and_at_which_rate():
    train = problem("regression", n=100)
    with pytest.raises(TrainingError, match=r"in epoch \d+; in a fit at a learning rate of 1e\+30") as caught:
        fit(spec_of("mlp", "regression", {"lr": 1e30}), train, None, METRICS["rmse"], settings_of(max_epochs=9))
    assert caught.value.remedy == "lower the learning rate, or scale the features"
