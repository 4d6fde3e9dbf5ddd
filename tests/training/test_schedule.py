"""Learning rates, held against torch's own schedulers."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim import lr_scheduler

from distml.config.train import TrainConfig
from distml.training.schedule import num_plateaus, one_cycle, rate

STEPS = 7  # of an epoch
NAMES = ("constant", "cosine", "one_cycle", "linear", "plateau")


def rates(losses=(), num_epochs=20, **config) -> list[float]:
    """A rate of 1 over the steps of a fit."""
    made = TrainConfig(max_epochs=num_epochs, **config)
    return [rate(made, step, STEPS, losses) for step in range(num_epochs * STEPS)]


def by_torch(scheduler, num_steps) -> list[float]:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    made, found = scheduler(optimizer), []
    for _ in range(num_steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        made.step()
    return found


@pytest.mark.parametrize(
    ("name", "scheduler"),
    [
        ("cosine", lambda optimizer: lr_scheduler.CosineAnnealingLR(optimizer, 140)),
        ("linear", lambda optimizer: lr_scheduler.LinearLR(optimizer, 1.0, 0.0, 140)),
        ("one_cycle", lambda optimizer: lr_scheduler.OneCycleLR(optimizer, 1.0, 140, cycle_momentum=False)),
        ("constant", lambda optimizer: lr_scheduler.LambdaLR(optimizer, lambda step: 1.0)),
    ],
)
def test_rates_are_torchs(name, scheduler):
    assert rates(schedule=name) == pytest.approx(by_torch(scheduler, 140), abs=1e-7)


def test_a_warm_up_rises_to_the_whole_rate_and_the_schedule_begins_there():
    found = rates(schedule="linear", warmup_epochs=2)
    assert found[:14] == pytest.approx([(step + 1) / 15 for step in range(14)])
    assert found[14:] == pytest.approx([1 - step / 126 for step in range(126)])


@pytest.mark.parametrize("warmup", [0.0, 0.5, 3.0])
@pytest.mark.parametrize("name", NAMES)
@given(num_epochs=st.integers(4, 30))
def test_a_rate_is_a_share(name, warmup, num_epochs):
    found = rates(schedule=name, num_epochs=num_epochs, warmup_epochs=0 if name == "one_cycle" else warmup)
    assert all(0 < share <= 1 for share in found)


@given(st.integers(1, 3))
def test_a_cycle_of_few_steps_has_rates(num_steps):
    assert all(0 <= one_cycle(step, num_steps) <= 1 for step in range(num_steps))


LOSSES = st.lists(st.floats(0.01, 10, allow_nan=False), max_size=40)


@given(LOSSES)
def test_plateaus_are_torchs(losses):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=5, eps=0)
    for loss in losses:
        scheduler.step(loss)
    assert 0.5 ** num_plateaus(losses) == optimizer.param_groups[0]["lr"]


def test_a_plateau_halves_the_rate():
    assert rates([1.0] * 6, schedule="plateau")[0] == 1.0
    assert rates([1.0] * 7, schedule="plateau")[0] == 0.5
    assert rates([1.0] * 7, schedule="cosine")[0] == 1.0
