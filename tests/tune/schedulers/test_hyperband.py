import pytest

from contracts.scheduler import AUC, SchedulerContract, epochs
from distml.tune.schedulers import Halving, Hyperband


class TestHyperband(SchedulerContract):
    def scheduler(self, metric=AUC, lag=4):
        return Hyperband(metric, max_epochs=40, lag=lag)


def hyperband(max_epochs=100):
    return Hyperband(AUC, max_epochs=max_epochs, lag=1)


def test_a_round_has_each_brackets_share():
    """Of 49 trials 27 are cut from epoch 4 on, 12 from 12 on, 6 at 36, and 4 never: (3+1)/(s+1) * 3**s of each."""
    brackets = [hyperband().bracket(number) for number in range(1, 50)]
    assert [brackets.count(bracket) for bracket in range(4)] == [27, 12, 6, 4]


@pytest.mark.parametrize("num_trials", [8, 16, 30])
def test_every_bracket_has_its_part_of_a_short_search(num_trials):
    brackets = [hyperband().bracket(number) for number in range(1, num_trials + 1)]
    for bracket, share in enumerate([27, 12, 6, 4]):
        assert abs(brackets.count(bracket) - num_trials * share / 49) <= 1


def test_a_trial_is_compared_within_its_bracket_at_its_brackets_rungs():
    scheduler = hyperband()
    by_bracket = {bracket: [n for n in range(1, 50) if scheduler.bracket(n) == bracket] for bracket in range(4)}
    for bracket, numbers in by_bracket.items():
        for number in numbers[:3]:
            for result in epochs([0.25 * bracket] * 100):
                scheduler.note(number, result)
    bars = [scheduler.bars(numbers[-1]) for numbers in by_bracket.values()]
    assert bars == [{4: 0.0, 12: 0.0, 36: 0.0}, {12: 0.25, 36: 0.25}, {36: 0.5}, {}]


def test_without_a_rung_there_is_one_bracket():
    assert {hyperband(4).bracket(number) for number in range(1, 20)} == {0}


def test_the_first_bracket_is_successive_halving():
    scheduler, halving = hyperband(), Halving(AUC, max_epochs=100, lag=1)
    number = 0
    for number in (n for n in range(1, 20) if scheduler.bracket(n) == 0):
        for result in epochs([number / 20] * 40):
            scheduler.note(number, result)
            halving.note(number, result)
    assert scheduler.bars(number) == halving.bars(number) != {}
