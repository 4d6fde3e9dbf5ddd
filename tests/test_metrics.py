import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from distml.errors import ConfigError
from distml.metrics import DEFAULT_METRIC, METRICS, decision_metrics, metric_for, score_all

NAN = float("nan")
TARGET = np.array([0, 0, 1, 1])
SCORES = np.array([0.1, 0.4, 0.35, 0.8])


def two(positive) -> np.ndarray:
    positive = np.asarray(positive, float)
    return np.column_stack([1 - positive, positive])


@pytest.mark.parametrize(
    ("name", "target", "prediction", "wanted"),
    [
        ("roc_auc", TARGET, two(SCORES), 0.75),
        ("roc_auc", TARGET, two([0, 0, 1, 1]), 1.0),
        ("roc_auc", TARGET, two([0.5] * 4), 0.5),
        ("average_precision", TARGET, two(SCORES), 5 / 6),
        ("log_loss", TARGET, two(SCORES), -np.mean(np.log([0.9, 0.6, 0.35, 0.8]))),
        ("log_loss", [1], two([0.0]), -np.log(1e-15)),
        ("accuracy", TARGET, two(SCORES), 0.75),
        ("accuracy", [1], two([0.5]), 0.0),
        ("f1", TARGET, two(SCORES), 2 / 3),
        ("f1", [0, 0], two([0.1, 0.1]), 0.0),
        ("brier", TARGET, two(SCORES), np.mean([0.01, 0.16, 0.4225, 0.04])),
        ("brier", [0, 1, 2], np.eye(3), 0.0),
        ("brier", [0], [[0.0, 1.0, 0.0]], 2.0),
        ("rmse", [1.0, 2.0, 3.0], [1.0, 2.0, 6.0], np.sqrt(3)),
        ("mae", [1.0, 2.0, 3.0], [1.0, 2.0, 6.0], 1.0),
        ("r2", [1.0, 2.0, 3.0], [2.0, 2.0, 2.0], 0.0),
        ("r2", [1.0, 2.0, 3.0], [3.0, 2.0, 1.0], -3.0),
    ],
)
def test_by_hand(name, target, prediction, wanted):
    score = METRICS[name](np.asarray(target), np.asarray(prediction))
    assert type(score) is float
    assert score == pytest.approx(wanted, rel=1e-12)


def labelled(k: int, n: int = 500) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(k)
    target = rng.integers(0, k, n)
    return target, rng.dirichlet(np.ones(k), n)


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("roc_auc", lambda t, p: sk.roc_auc_score(t, p[:, 1])),
        ("average_precision", lambda t, p: sk.average_precision_score(t, p[:, 1])),
        ("log_loss", sk.log_loss),
        ("accuracy", lambda t, p: sk.accuracy_score(t, p.argmax(1))),
        ("f1", lambda t, p: sk.f1_score(t, p.argmax(1))),
        ("brier", lambda t, p: sk.brier_score_loss(t, p[:, 1])),
    ],
)
def test_two_classes_as_scikit_learn(name, reference):
    target, probabilities = labelled(2)
    assert METRICS[name](target, probabilities) == pytest.approx(reference(target, probabilities), rel=1e-12)


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("roc_auc", lambda t, p: sk.roc_auc_score(t, p, multi_class="ovr")),
        ("log_loss", sk.log_loss),
        ("accuracy", lambda t, p: sk.accuracy_score(t, p.argmax(1))),
        ("f1", lambda t, p: sk.f1_score(t, p.argmax(1), average="macro")),
    ],
)
def test_four_classes_as_scikit_learn(name, reference):
    target, probabilities = labelled(4)
    assert METRICS[name](target, probabilities) == pytest.approx(reference(target, probabilities), rel=1e-12)


@pytest.mark.parametrize(
    ("name", "reference"),
    [("rmse", sk.root_mean_squared_error), ("mae", sk.mean_absolute_error), ("r2", sk.r2_score)],
)
def test_numbers_as_scikit_learn(name, reference):
    rng = np.random.default_rng(3)
    target, values = rng.normal(size=100), rng.normal(size=100)
    assert METRICS[name](target, values) == pytest.approx(reference(target, values), rel=1e-12)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=2, max_size=40))
def test_equal_scores_count_half_in_the_auc(pairs):
    target, scores = np.array([int(one) for one, _ in pairs]), np.array([score / 5 for _, score in pairs])
    if len(set(target)) == 2:
        assert METRICS["roc_auc"](target, two(scores)) == pytest.approx(sk.roc_auc_score(target, scores), rel=1e-12)
    else:
        assert np.isnan(METRICS["roc_auc"](target, two(scores)))


def test_a_class_without_rows_is_left_out_of_the_mean():
    target, probabilities = labelled(3)
    rare = np.where(target == 2, 0, target)
    by_class = [sk.roc_auc_score(rare == k, probabilities[:, k]) for k in (0, 1)]
    assert METRICS["roc_auc"](rare, probabilities) == pytest.approx(np.mean(by_class))


@pytest.mark.parametrize(
    ("name", "target", "prediction"),
    [
        ("roc_auc", [1, 1], two([0.1, 0.2])),
        ("roc_auc", [2, 2], np.full((2, 3), 1 / 3)),
        ("average_precision", [0, 0], two([0.1, 0.2])),
        ("r2", [2.0, 2.0], [1.0, 3.0]),
    ],
)
def test_undefined_is_nan(name, target, prediction):
    assert np.isnan(METRICS[name](np.asarray(target), np.asarray(prediction)))


@pytest.mark.parametrize("name", METRICS)
def test_no_rows_and_broken_predictions_are_nan(name):
    regression = METRICS[name].tasks == ("regression",)
    nothing = np.empty(0) if regression else np.empty((0, 2))
    assert np.isnan(METRICS[name](np.empty(0, np.int64), nothing))
    broken = np.array([0.5, NAN]) if regression else two([0.5, NAN])
    assert np.isnan(METRICS[name](np.array([0, 1]), broken))


@pytest.mark.parametrize(
    ("name", "score", "than", "is_better"),
    [
        ("roc_auc", 0.9, 0.8, True),
        ("roc_auc", 0.8, 0.8, False),
        ("rmse", 0.8, 0.9, True),
        ("rmse", 0.9, 0.9, False),
        ("rmse", 0.9, NAN, True),
        ("roc_auc", -1.0, NAN, True),
        ("roc_auc", NAN, 0.1, False),
        ("rmse", NAN, 0.1, False),
        ("rmse", NAN, NAN, False),
    ],
)
def test_better(name, score, than, is_better):
    assert METRICS[name].better(score, than) is is_better


def test_directions():
    maximized = {name for name, metric in METRICS.items() if metric.direction == "maximize"}
    assert maximized == {"roc_auc", "average_precision", "accuracy", "f1", "r2"}
    assert all(metric.sign == (1 if name in maximized else -1) for name, metric in METRICS.items())


@pytest.mark.parametrize("task", DEFAULT_METRIC)
def test_auto_is_the_default_of_the_task(task):
    metric = metric_for("auto", task)
    assert metric.name == DEFAULT_METRIC[task]
    assert task in metric.tasks
    assert metric_for(metric.name, task) is metric


@pytest.mark.parametrize(
    ("name", "task", "remedy"),
    [
        ("roc_acu", "binary", "did you mean 'roc_auc'?"),
        ("average_precision", "multiclass", "one of roc_auc, log_loss, accuracy, f1, brier"),
        ("zzz", "regression", "one of rmse, mae, r2"),
    ],
)
def test_a_metric_of_another_task_is_refused(name, task, remedy):
    with pytest.raises(ConfigError) as caught:
        metric_for(name, task, where="gates")
    error = caught.value
    assert (error.rule, error.received, error.where) == (f"a metric for a {task} target", name, "gates")
    assert error.remedy == remedy


def test_metrics_pickle_by_name():
    assert all(pickle.loads(pickle.dumps(metric)) is metric for metric in METRICS.values())


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_score_all_is_every_metric_of_the_task(task):
    target, prediction = (TARGET.astype(float), SCORES) if task == "regression" else (TARGET, two(SCORES))
    scores = score_all(task, target, prediction)
    assert scores == {m.name: m(target, prediction) for m in METRICS.values() if task in m.tasks}
    assert len(scores) == {"binary": 6, "multiclass": 5, "regression": 3}[task]


@pytest.mark.parametrize(
    ("target", "called", "wanted"),
    [
        ([1, 1, 0, 0], [1, 0, 0, 0], (0.75, 1.0, 0.5, 2 / 3)),
        ([1, 0], [0, 0], (0.5, math.nan, 0.0, 0.0)),
        ([0, 0], [0, 1], (0.5, 0.0, math.nan, 0.0)),
        ([0, 0], [0, 0], (1.0, math.nan, math.nan, math.nan)),
        ([], [], (math.nan,) * 4),
    ],
)
def test_decisions_are_scored_also_where_a_share_is_of_nothing(target, called, wanted):
    found = decision_metrics(np.array(target, int), np.array(called, bool))
    assert tuple(found) == ("accuracy", "precision", "recall", "f1")
    assert tuple(found.values()) == pytest.approx(wanted, nan_ok=True)
