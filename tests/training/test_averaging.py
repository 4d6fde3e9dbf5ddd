"""Averages of weights, held against the sums that they are."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from distml.config.train import AveragingConfig
from distml.training.averaging import Averaging
from distml.training.rows import Rows


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(1, 1, bias=False)
        self.norm = nn.BatchNorm1d(1)

    def forward(self, numeric, categorical, tensors):
        return self.norm(self.linear(numeric))


@pytest.fixture
def net():
    return Net()


def set_weight(net, value):
    with torch.no_grad():
        net.linear.weight.fill_(value)


def parts():
    """Two batches of rows, of mean 2 and variance 5 over all."""
    for values in ([-1.0, 1.0], [3.0, 5.0]):
        n = len(values)
        yield Rows(
            numeric=torch.tensor(values)[:, None], categorical=torch.zeros(n, 0, dtype=torch.int64), tensors={},
            target=torch.zeros(n), weight=torch.ones(n),
        )  # fmt: skip


def test_an_exponential_average_follows_each_step(net):
    averaging = Averaging(AveragingConfig(ema=0.75), net)
    for value in (1.0, 3.0, 5.0):
        set_weight(net, value)
        averaging.after_step()
    assert averaging.module.linear.weight.item() == pytest.approx(0.75 * (0.75 * 1 + 0.25 * 3) + 0.25 * 5)


def test_stochastic_weight_averaging_is_the_mean_of_the_epochs_from_one_on(net):
    averaging = Averaging(AveragingConfig(swa=2), net)
    for number, value in enumerate((1.0, 3.0, 5.0, 10.0), start=1):
        set_weight(net, value)
        averaging.after_step()
        averaging.after_epoch(number, parts())
        assert (averaging.module is net) is (number < 2), "before that it is the network as it is"
    assert averaging.module.linear.weight.item() == pytest.approx((3 + 5 + 10) / 3)
    assert net.linear.weight.item() == 10


@pytest.mark.parametrize("config", [{"ema": 0.5}, {"swa": 1}])
def test_batch_normalisation_has_the_statistics_of_the_averaged_weights(net, config):
    averaging = Averaging(AveragingConfig(**config), net)
    set_weight(net, 2.0)
    averaging.after_step()
    averaging.after_epoch(1, parts())
    norm = averaging.module.norm
    assert norm.running_mean.item() == pytest.approx(2 * 2)  # the mean over batches of means 0 and 4
    assert norm.running_var.item() == pytest.approx(4 * 2)  # of each batch's, whose rows are 1 from the mean, n - 1
    assert net.norm.running_mean.item() == 0


def test_the_state_is_all_of_it(net):
    averaging, other = Averaging(AveragingConfig(ema=0.5), net), Averaging(AveragingConfig(ema=0.5), net)
    for value in (1.0, 2.0):
        set_weight(net, value)
        averaging.after_step()
    other.load_state(averaging.state())
    for each in (averaging, other):
        set_weight(net, 4.0)
        each.after_step()
        assert each.module.linear.weight.item() == pytest.approx(0.5 * 1.5 + 0.5 * 4)
