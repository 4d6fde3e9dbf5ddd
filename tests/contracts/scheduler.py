"""What every scheduler must do."""

from __future__ import annotations

import random

import pytest

from distml.metrics import METRICS, Metric
from distml.training import EpochResult
from distml.tune.schedulers import Scheduler, is_given_up

AUC, RMSE = METRICS["roc_auc"], METRICS["rmse"]
NUM_EPOCHS = 40


def curve(number: int) -> list[float]:
    """A trial's scores by epoch: the same for a number, rising, with noise."""
    chance = random.Random(number)
    final = chance.random()
    return [final * (1 - 0.9**epoch) + 0.05 * chance.random() for epoch in range(1, NUM_EPOCHS + 1)]


def epochs(scores: list[float], metric: Metric = AUC) -> list[EpochResult]:
    """What a fit with these scores, the higher the better, is heard of; negative where lower is better."""
    best = [max(scores[:epoch]) for epoch in range(1, len(scores) + 1)]
    return [
        EpochResult(epoch=epoch, train_loss=0.0, score=metric.sign * score, best_score=metric.sign * top,
                    best_epoch=epoch, seconds=1.0)
        for epoch, (score, top) in enumerate(zip(scores, best, strict=True), start=1)
    ]  # fmt: skip


def run(scheduler: Scheduler, number: int, metric: Metric = AUC) -> int:
    """A trial from begin to end; the number of its epochs."""
    bars = scheduler.bars(number)
    for result in epochs(curve(number), metric):
        scheduler.note(number, result)
        if is_given_up(metric, bars, result):
            return result.epoch
    return NUM_EPOCHS


class SchedulerContract:
    """A subclass makes its scheduler, for trials of at most 40 epochs."""

    def scheduler(self, metric: Metric = AUC, lag: int = 4) -> Scheduler:
        raise NotImplementedError

    def test_a_scheduler_that_has_heard_nothing_has_no_bars(self):
        assert self.scheduler().bars(1) == self.scheduler().bars(50) == {}

    def test_poor_trials_are_given_up_and_the_first_ones_never(self):
        scheduler = self.scheduler()
        lengths = [run(scheduler, number) for number in range(1, 61)]
        assert lengths[:4] == [NUM_EPOCHS] * 4
        assert len([length for length in lengths if length < NUM_EPOCHS]) > 10

    def test_bars_lie_at_epochs_before_the_last(self):
        scheduler = self.scheduler()
        for number in range(1, 31):
            run(scheduler, number)
        assert scheduler.bars(40)
        assert all(1 <= epoch <= NUM_EPOCHS for epoch in scheduler.bars(40))

    @pytest.mark.parametrize("seed", range(3))
    def test_decisions_do_not_depend_on_who_is_faster(self, seed):
        """Four trials at a time, each begins when the one four before it has ended; epochs come in any order."""
        alone, together = self.scheduler(), self.scheduler()
        wanted = {number: run(alone, number) for number in range(1, 31)}
        chance, found, running = random.Random(seed), {}, {}
        left = list(range(1, 31))
        while left or running:
            while left and left[0] - 4 not in running and all(n > left[0] - 4 for n in running):
                number = left.pop(0)
                running[number] = (together.bars(number), iter(epochs(curve(number))))
            number = chance.choice(list(running))
            bars, rest = running[number]
            result = next(rest)
            together.note(number, result)
            if result.epoch == NUM_EPOCHS or is_given_up(AUC, bars, result):
                found[number] = result.epoch
                del running[number]
        assert found == wanted

    def test_trials_within_the_lag_are_never_looked_at(self):
        scheduler = self.scheduler()
        for number in range(1, 21):
            run(scheduler, number)
        wanted = scheduler.bars(24)
        for number in (21, 22, 23, 24, 25, 40):
            for result in epochs([2.0] * NUM_EPOCHS):
                scheduler.note(number, result)
        assert scheduler.bars(24) == wanted

    def test_the_best_of_all_goes_on(self):
        scheduler = self.scheduler()
        for number in range(1, 31):
            run(scheduler, number)
        assert not any(is_given_up(AUC, scheduler.bars(31), result) for result in epochs([2.0] * NUM_EPOCHS))

    def test_the_worst_of_all_ends(self):
        scheduler = self.scheduler()
        for number in range(1, 51):
            run(scheduler, number)
        ends = [any(is_given_up(AUC, scheduler.bars(number), result) for result in epochs([-1.0] * NUM_EPOCHS))
                for number in range(51, 60)]  # fmt: skip
        assert any(ends)

    def test_lower_is_better_mirrors_it(self):
        higher, lower = self.scheduler(AUC), self.scheduler(RMSE)
        for number in range(1, 31):
            assert run(higher, number, AUC) == run(lower, number, RMSE)
        assert lower.bars(40) == {epoch: -bar for epoch, bar in higher.bars(40).items()}
