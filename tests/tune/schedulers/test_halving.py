import pytest

from contracts.scheduler import AUC, RMSE, SchedulerContract, epochs
from distml.tune.schedulers import Halving, is_given_up
from distml.tune.schedulers.halving import rungs

# Score of each trial at the rung, and whether it is among the best third, rounded up, of those up to it.
TABLE = [
    (0.50, True),
    (0.40, False),
    (0.60, True),
    (0.50, True),
    (0.45, False),
    (0.55, True),
    (0.50, True),
    (0.3, False),
]


class TestHalving(SchedulerContract):
    def scheduler(self, metric=AUC, lag=4):
        return Halving(metric, max_epochs=40, lag=lag)


def halving(metric=AUC, lag=1, **changes) -> Halving:
    return Halving(metric, **{"max_epochs": 100, "lag": lag, **changes})


def goes_on(deciding, number, epoch, score) -> bool:
    """Whether a trial goes on that has come to an epoch with a score; its mark in the scheduler stays."""
    result = epochs([score] * epoch)[-1]
    bars = deciding.bars(number)
    deciding.note(number, result)
    return not is_given_up(AUC, bars, result)


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        ((100,), (4, 12, 36)),
        ((4,), ()),
        ((5,), (4,)),
        ((37,), (4, 12, 36)),
        ((36,), (4, 12)),
        ((10, 1, 2), (1, 2, 4, 8)),
    ],
)
def test_rungs_lie_below_the_last_epoch(arguments, wanted):
    assert rungs(*arguments) == wanted


def test_the_best_third_goes_on():
    deciding = halving()
    assert [goes_on(deciding, number, 4, score) for number, (score, _) in enumerate(TABLE, start=1)] == [
        kept for _, kept in TABLE
    ]


def test_the_bar_is_the_worst_score_of_the_best_third():
    deciding = halving(RMSE)
    for number, error in enumerate([3.0, 1.0, 2.0, 5.0, 4.0], start=1):
        deciding.note(number, epochs([-error] * 4, RMSE)[-1])
    assert deciding.bars(6) == {4: 2.0}, "of six two go on"
    assert deciding.bars(4) == {4: 2.0}, "of four two go on"
    assert deciding.bars(3) == {4: 1.0}, "of three one goes on"


def test_rungs_are_decided_apart():
    deciding = halving()
    assert goes_on(deciding, 1, 4, 0.9)
    assert goes_on(deciding, 2, 12, 0.1)
    assert not goes_on(deciding, 2, 4, 0.1)


@pytest.mark.parametrize("epoch", [1, 3, 5, 11, 13, 99, 100])
def test_between_rungs_every_trial_goes_on(epoch):
    deciding = halving()
    goes_on(deciding, 1, 4, 0.9)
    assert goes_on(deciding, 2, epoch, 0.0)


def test_within_the_lag_every_trial_goes_on():
    deciding = halving(lag=4)
    assert [goes_on(deciding, number, 4, 1 / number) for number in range(1, 5)] == [True] * 4
    assert not goes_on(deciding, 5, 4, 1 / 5)
