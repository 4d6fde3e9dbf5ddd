import pytest

from contracts.scheduler import AUC, RMSE, SchedulerContract, epochs
from distml.tune.schedulers import MedianStopping


class TestMedian(SchedulerContract):
    def scheduler(self, metric=AUC, lag=4):
        return MedianStopping(metric, lag=lag)


CURVES = [[0.1, 0.3, 0.2], [0.5, 0.7, 0.6], [0.4, 0.4, 0.4], [0.9]]


def median(grace=1, least=3, metric=AUC):
    stopping = MedianStopping(metric, lag=1, grace=grace, least=least)
    for number, scores in enumerate(CURVES, start=1):
        for result in epochs([metric.sign * score for score in scores], metric):
            stopping.note(number, result)
    return stopping


@pytest.mark.parametrize("metric", [AUC, RMSE])
def test_a_bar_is_the_median_of_mean_scores_so_far(metric):
    wanted = {1: (0.4 + 0.5) / 2, 2: 0.4, 3: 0.4}  # of the means .1 .5 .4 .9, then .2 .6 .4, then .2 .6 .4
    assert median(metric=metric).bars(5) == pytest.approx(wanted)


def test_there_is_no_bar_before_enough_trials_have_come_so_far():
    assert set(median(least=4).bars(5)) == {1}
    assert median().bars(3) == {}
    assert set(median().bars(4)) == {1, 2, 3}


def test_there_is_no_bar_within_the_grace():
    assert set(median(grace=2).bars(5)) == {2, 3}
