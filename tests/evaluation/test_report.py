from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from distml.errors import DataError
from distml.evaluation import Evaluation, evaluate, slice_metrics
from distml.evaluation.report import MIN_SLICE_ROWS, one_row_latency_ms
from distml.metrics import METRICS, score_all
from distml.predictor import Predictor
from packages import package_of, table_of
from problems import TASKS


@pytest.fixture(scope="module")
def predictors():
    return {task: Predictor(package_of(task)) for task in TASKS}


@pytest.mark.parametrize("task", TASKS)
def test_metrics_are_those_of_the_predictions(task, predictors):
    table = table_of(task, n=120, seed=1)
    found = evaluate(predictors[task], table)
    scores = predictors[task].predict(table).scores
    np.testing.assert_array_equal(found.scores, scores)
    assert found.metrics == score_all(task, found.target, scores)
    assert set(found.metrics) == {name for name, metric in METRICS.items() if task in metric.tasks}


def test_a_number_is_judged_in_its_own_unit(predictors):
    table = table_of("regression", n=120, seed=1)
    found = evaluate(predictors["regression"], table)
    np.testing.assert_array_equal(found.target, table.column("y").to_numpy())
    assert found.metrics["rmse"] == pytest.approx(np.sqrt(np.mean((found.target - found.scores) ** 2)))
    assert found.metrics["r2"] > 0.7


def test_classes_are_judged_by_code(predictors):
    table = table_of("multiclass", n=120, seed=1)
    found = evaluate(predictors["multiclass"], table)
    assert [("low", "mid", "top")[code] for code in found.target] == table.column("y").to_pylist()
    assert found.metrics["accuracy"] > 0.7


def test_decisions_are_scored_at_the_packages_threshold(predictors):
    table = table_of("binary", n=300)
    plain = predictors["binary"]
    eager = Predictor(replace(plain.package, postprocess=replace(plain.package.postprocess, threshold=0.05)))
    found, other = evaluate(plain, table), evaluate(eager, table)
    assert found.metrics == other.metrics  # of probabilities
    assert found.decisions["threshold"] == 0.5 and other.decisions["threshold"] == 0.05
    assert found.decisions["accuracy"] == found.metrics["accuracy"]
    assert other.decisions["recall"] > found.decisions["recall"]
    assert other.decisions["precision"] < found.decisions["precision"]


@pytest.mark.parametrize("task", ["multiclass", "regression"])
def test_only_two_classes_are_decided_between(predictors, task):
    assert evaluate(predictors[task], table_of(task, n=50)).decisions == {}


def test_a_class_that_training_never_saw_is_refused(predictors):
    table = table_of("binary", n=5)
    strange = table.set_column(2, "y", pa.array(["yes", "no", "perhaps", "no", "yes"]))
    with pytest.raises(DataError, match=r"received 'perhaps'; in row 2"):
        evaluate(predictors["binary"], strange)


def sliced(column, n, values=None):
    """Slices of a binary evaluation whose first half is always right and whose second half is always wrong."""
    target = np.arange(n) % 2
    right = np.arange(n) < n // 2
    positive = np.where(right, target, 1 - target).astype(float)
    scores = np.column_stack([1 - positive, positive])
    evaluation = Evaluation(target=target, scores=scores, metrics=score_all("binary", target, scores))
    return slice_metrics(evaluation, pa.table({column: values}), [column], "binary")[column]


def test_categories_are_slices():
    slices = sliced("colour", 80, pa.array(["red"] * 40 + ["blue"] * 40))
    assert [(s["value"], s["rows"], s["metrics"]["accuracy"]) for s in slices] == [("blue", 40, 0.0), ("red", 40, 1.0)]


def test_missing_is_a_slice():
    slices = sliced("colour", 80, pa.array(["red"] * 40 + [None] * 40))
    assert {s["value"]: s["rows"] for s in slices} == {"red": 40, "(missing)": 40}


def test_numbers_are_cut_at_their_quartiles():
    slices = sliced("size", 100, pa.array(np.arange(100.0)))
    assert [(s["value"], s["rows"]) for s in slices] == [
        ("1: 0 to 24.75", 25),
        ("2: 24.75 to 49.5", 25),
        ("3: 49.5 to 74.25", 25),
        ("4: 74.25 to 99", 25),
    ]
    assert [s["metrics"]["accuracy"] for s in slices] == [1, 1, 0, 0]


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ([5.0] * 40, {"1: 5": 40}),
        ([0.0] * 30 + [1.0] * 10, {"1: 0 to 0.25": 30, "2: 0.25 to 1": 10}),
        ([None] * 40, {"(missing)": 40}),
        ([float("nan")] * 20 + [1.0] * 20, {"(missing)": 20, "1: 1": 20}),
    ],
    ids=["constant", "ties", "all missing", "half missing"],
)
@pytest.mark.filterwarnings("error")
def test_numbers_without_four_quartiles(values, wanted):
    slices = sliced("size", 40, pa.array(values, pa.float64()))
    assert {s["value"]: s["rows"] for s in slices} == wanted


def test_small_slices_have_no_metrics():
    n = MIN_SLICE_ROWS
    small, large = sliced("colour", 2 * n - 1, pa.array(["a"] * (n - 1) + ["b"] * n))
    assert (small["rows"], large["rows"]) == (n - 1, n)
    assert "metrics" not in small
    assert "metrics" in large


def test_a_slice_of_one_class_has_no_auc():
    target, scores = np.zeros(40, int), np.tile([0.7, 0.3], (40, 1))
    evaluation = Evaluation(target=target, scores=scores, metrics={})
    ((only,),) = slice_metrics(evaluation, pa.table({"c": ["a"] * 40}), ["c"], "binary").values()
    assert np.isnan(only["metrics"]["roc_auc"])
    assert only["metrics"]["accuracy"] == 1


@pytest.mark.parametrize("num_rows", [1, 30])
def test_latency_is_measured_on_as_many_rows_as_there_are(predictors, num_rows):
    assert 0 < one_row_latency_ms(predictors["binary"], table_of("binary", n=num_rows)) < np.inf
