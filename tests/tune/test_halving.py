import random

import pytest

from distml.metrics import METRICS
from distml.tune.halving import Halving, rungs

AUC, RMSE = METRICS["roc_auc"], METRICS["rmse"]

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


def halving(metric=AUC, lag=1, **changes) -> Halving:
    return Halving(metric, **{"max_epochs": 100, "lag": lag, **changes})


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


@pytest.mark.parametrize(("metric", "sign"), [(AUC, 1), (RMSE, -1)])
def test_the_best_third_goes_on(metric, sign):
    deciding = halving(metric)
    decisions = [deciding.keep(number, 4, sign * score) for number, (score, _) in enumerate(TABLE, start=1)]
    assert decisions == [kept for _, kept in TABLE]


def test_rungs_are_decided_apart():
    deciding = halving()
    assert deciding.keep(1, 4, 0.9)
    assert deciding.keep(2, 12, 0.1)
    assert not deciding.keep(2, 4, 0.1)


@pytest.mark.parametrize("epoch", [1, 3, 5, 11, 13, 99, 100])
def test_between_rungs_every_trial_goes_on(epoch):
    deciding = halving()
    deciding.keep(1, 4, 0.9)
    assert deciding.keep(2, epoch, 0.0)


def test_within_the_lag_every_trial_goes_on():
    deciding = halving(lag=4)
    assert [deciding.keep(number, 4, 1 / number) for number in range(1, 5)] == [True] * 4
    assert not deciding.keep(5, 4, 1 / 5)


@pytest.mark.parametrize("near", [None, 0.0, 1.0])
def test_trials_within_the_lag_are_never_looked_at(near):
    deciding = halving(lag=4)
    deciding.keep(1, 4, 0.5)
    if near is not None:
        for number in (2, 3, 4, 6, 7, 8):
            deciding.keep(number, 4, near)
    assert deciding.keep(5, 4, 0.6)
    assert not deciding.keep(5, 4, 0.4)


@pytest.mark.parametrize("seed", range(5))
def test_decisions_do_not_depend_on_who_is_faster(seed):
    """Trials run four at a time, each begins when the one four before it has ended, and report in any order."""
    chance = random.Random(seed)
    scores = {number: random.Random(number).random() for number in range(1, 25)}
    alone, together = halving(lag=4), halving(lag=4)
    wanted = {number: alone.keep(number, 4, score) for number, score in scores.items()}
    found, waiting = {}, list(scores)
    while waiting:
        number = chance.choice([n for n in waiting if n < waiting[0] + 4])
        found[number] = together.keep(number, 4, scores[number])
        waiting.remove(number)
    assert found == wanted
    assert set(wanted.values()) == {True, False}
