"""What each column says of the target alone."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from distml.inspection.scores import (
    Lone,
    almost_perfect,
    binned_auc,
    is_by_design,
    score_columns,
    standing_out,
)

RNG = np.random.default_rng(2)
N = 4000


def skills(columns, target, task) -> dict[str, float]:
    return {lone.column: lone.skill for lone in score_columns(columns, target, task)}


def test_auc_of_bins_is_the_auc_of_their_rows():
    bins = RNG.integers(0, 9, 500)
    scores = np.round(RNG.random(9), 1)  # with ties
    target = RNG.random(500) < scores[bins]
    found = binned_auc(scores, np.bincount(bins[target], minlength=9), np.bincount(bins[~target], minlength=9))
    assert found == pytest.approx(roc_auc_score(target, scores[bins]))


def test_a_copy_of_the_target_is_perfect_however_it_is_written():
    target = (RNG.random(N) < 0.02).astype(np.int64)
    found = score_columns(
        {
            "code": 1 - target,
            "number": np.where(target == 1, RNG.uniform(0.9, 1, N), RNG.uniform(-5, 0.9, N)),
            "missing": np.where(target == 1, np.nan, RNG.normal(size=N)),
        },
        target,
        "binary",
    )
    assert {lone.column for lone in almost_perfect(found)} == {"code", "number", "missing"}


def test_noise_says_nothing():
    target = RNG.integers(0, 2, N)
    columns = {
        "number": RNG.normal(size=N),
        "code": RNG.integers(0, 50, N),
        "name": np.arange(N),  # as many categories as rows
        "nothing": np.full(N, np.nan),
        "unknown": np.full(N, -1),
    }
    for skill in skills(columns, target, "binary").values():
        assert 0 <= skill < 0.08


def test_any_shape_of_dependence_counts():
    x = RNG.normal(size=N)
    found = skills({"x": x, "noise": RNG.normal(size=N)}, (np.abs(x) > 1).astype(np.int64), "binary")
    assert list(found) == ["x", "noise"]
    assert found["x"] > 0.95


def test_classes_count_alike():
    target = RNG.integers(0, 3, N)
    found = skills({"copy": target, "one": (target == 0).astype(np.int64)}, target, "multiclass")
    assert found["copy"] == 1
    assert 0.5 < found["one"] < 0.9


def test_of_many_classes_the_frequent_ones_count():
    target = RNG.integers(0, 60, N)
    assert skills({"copy": target}, target, "multiclass")["copy"] > 0.9


def test_numbers_are_ranked_so_that_no_outlier_decides():
    x = RNG.normal(size=N)
    target = np.exp(5 * x)
    target[0] = 1e30
    found = skills({"x": x, "half": x + RNG.normal(size=N)}, target, "regression")
    assert found["x"] > 0.995
    assert 0.3 < found["half"] < 0.6


@pytest.mark.parametrize("n", [60, 200])
def test_a_copy_is_seen_in_few_rows_too(n):
    x = RNG.normal(size=n)
    assert skills({"x": -x}, np.exp(x), "regression")["x"] > 0.995
    assert skills({"x": -x}, (x > 0.5).astype(np.int64), "binary")["x"] > 0.998
    assert skills({"x": x}, RNG.normal(size=n), "regression")["x"] < 0.2


def test_what_is_there_in_few_rows_says_little():
    x = np.where(RNG.random(N) < 0.05, RNG.normal(size=N), np.nan)
    target = np.where(np.isfinite(x), x, RNG.normal(size=N))
    assert skills({"x": x}, target, "regression")["x"] < 0.1


def test_few_distinct_values_are_bins_of_their_own():
    x = RNG.integers(0, 10, N).astype(float)
    assert skills({"x": x}, (x % 2).astype(np.int64), "binary")["x"] == 1


def lone(*values: float) -> list[Lone]:
    return [Lone(column=str(i), skill=value, task="binary") for i, value in enumerate(values)]


@pytest.mark.parametrize(
    ("values", "count"),
    [
        ((0.6, 0.3, 0.2, 0.1), 1),
        ((0.6, 0.4, 0.2, 0.1), 0),  # not far above
        ((0.49, 0.1, 0.1, 0.1), 0),  # not high
        ((0.9, 0.8, 0.3, 0.2, 0.1), 2),
        ((0.9, 0.8, 0.8, 0.3, 0.2, 0.1), 3),
        ((0.9, 0.8, 0.8, 0.8, 0.2, 0.1, 0.1), 0),  # four are no exception
        ((0.9, 0.1, 0.1), 0),  # too few others
        ((), 0),
    ],
)
def test_what_stands_out(values, count):
    assert standing_out(lone(*values)) == lone(*values)[:count]


@pytest.mark.parametrize(
    ("numbers", "is_so"),
    [
        (np.repeat(np.arange(24.0), 30), True),
        (np.append(np.repeat(np.arange(7.0), 100), np.nan), True),
        (np.repeat([0.0, 1.0, 3.0], 100), False),  # a gap
        (np.repeat(np.arange(3.0), [100, 100, 300]), False),
        (RNG.normal(size=1000), False),
        (np.arange(5.0), False),  # hardly there
        (np.full(100, 1.0), False),
        (np.full(3, np.nan), False),
    ],
)
def test_calendars(numbers, is_so):
    assert is_by_design(numbers) is is_so


def test_scores_are_told_in_the_metrics_unit():
    assert Lone(column="a", skill=0.6, task="multiclass").told == "AUC 0.800"
    assert Lone(column="a", skill=0.6, task="regression").told == "R² 0.600 of the target's ranks"
