import math
import random
from dataclasses import replace

import pytest

from distml.metrics import METRICS
from distml.tune.objective import TrialRecord
from distml.tune.pareto import front, front_of

NAN = math.nan


@pytest.mark.parametrize(
    ("points", "chosen"),
    [
        ([], []),
        ([(1.0,)], [0]),
        ([(1.0, 2.0), (2.0, 1.0)], [0, 1]),
        ([(1.0, 2.0), (2.0, 2.0), (1.0, 3.0)], [0]),
        ([(1.0, 1.0), (1.0, 1.0)], [0, 1]),
        ([(1.0, NAN), (2.0, 2.0)], [1]),
        ([(NAN, NAN)], []),
        ([(-math.inf, 5.0), (0.0, 5.0)], [0]),
    ],
)
def test_by_hand(points, chosen):
    assert front(points) == chosen


@pytest.mark.parametrize("seed", range(5))
def test_nothing_on_the_front_is_beaten_and_all_else_is(seed):
    chance = random.Random(seed)
    points = [tuple(chance.randrange(8) for _ in range(3)) for _ in range(60)]
    chosen = set(front(points))

    def beats(a, b):
        return a != b and all(x <= y for x, y in zip(a, b, strict=True))

    for i, point in enumerate(points):
        assert (i in chosen) == (not any(beats(other, point) for other in points))


def record(number, score, state="finished", **objectives):
    return TrialRecord(number=number, family="mlp", params={}, state=state, score=score, objectives=objectives)


RECORDS = [
    record(1, 0.8, size_mb=1.0), record(2, 0.9, size_mb=2.0), record(3, 0.85, size_mb=3.0),
    record(4, 0.95, state="pruned"), record(5, None, state="failed"), record(6, 0.99, latency_ms=1.0),
    record(7, NAN, size_mb=0.1), record(8, 0.7, state="stopped", size_mb=0.5),
]  # fmt: skip


def test_the_best_score_comes_first():
    assert front_of(RECORDS, METRICS["roc_auc"], ("size_mb",)) == [2, 1, 8]


def test_a_low_score_may_be_the_better_one():
    assert front_of(RECORDS, METRICS["log_loss"], ("size_mb",)) == [8]


def test_one_objective_has_no_front():
    assert front_of(RECORDS, METRICS["roc_auc"], ()) == []


def test_every_cost_counts():
    both = [replace(one, objectives={**one.objectives, "latency_ms": float(one.number)}) for one in RECORDS]
    assert front_of(both, METRICS["roc_auc"], ("size_mb", "latency_ms")) == [2, 1, 8]
    assert front_of(RECORDS, METRICS["roc_auc"], ("size_mb", "latency_ms")) == []
