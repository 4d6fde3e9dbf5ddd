import pickle

import numpy as np
import orjson
import pyarrow as pa
import pytest

from distml.errors import DataError
from distml.metrics import METRICS
from distml.scaling import LinearScale, LogScale, QuantileScale
from distml.target import ClassTarget, NumericTarget, Target, fit_target, own_unit, target_from_dict, target_to_dict
from tables import cleaner_of, data_config, summary_of


def fitted(values: pa.Array | list, task: str = "auto", scale: str = "standard", **data) -> tuple[Target, np.ndarray]:
    """The target of a raw column, and its rows encoded."""
    values = values if isinstance(values, pa.Array) else pa.array(values)
    table = pa.table({"x": list(range(len(values))), "y": values})
    cleaner = cleaner_of(table, task=task, **data)
    target = fit_target(cleaner.schema, summary_of(cleaner, table), data_config(task=task, **data), scale)
    return target, target.encode(cleaner.apply(table).table.column("y").chunk(0))


@pytest.mark.parametrize(
    ("values", "task", "labels", "codes"),
    [
        (["no", "yes", "no"] * 2, "auto", ("no", "yes"), [0, 1, 0]),
        ([1, 0, 1] * 2, "auto", (0, 1), [1, 0, 1]),
        (["1", "0", "10"] * 2, "auto", (0, 1, 10), [1, 0, 2]),
        ([1.0, 0.0, 1.0] * 2, "auto", (0, 1), [1, 0, 1]),
        ([0.5, 2.0, 0.5] * 2, "binary", (0.5, 2.0), [0, 1, 0]),
        (["0.5", "2.5", "0.5"] * 2, "binary", (0.5, 2.5), [0, 1, 0]),
        ([True, False, True] * 2, "auto", (False, True), [1, 0, 1]),
        (["True", "FALSE", "true"] * 2, "auto", (False, True), [1, 0, 1]),
        (["01", "02", "01"] * 2, "auto", ("01", "02"), [0, 1, 0]),
        (["01", "1", "2"] * 2, "auto", ("01", "1", "2"), [0, 1, 2]),
        (["1.0", "0.0", "1.0"] * 2, "binary", (0.0, 1.0), [1, 0, 1]),
        (["1", "0", "1.0"] * 2, "binary", (0.0, 1.0), [1, 0, 1]),
    ],
)
def test_classes_keep_the_type_of_the_table(values, task, labels, codes):
    target, encoded = fitted(values, task)
    assert target == ClassTarget(labels=labels)
    assert list(map(type, target.labels)) == list(map(type, labels))
    assert (encoded[:3].tolist(), encoded.dtype) == (codes, np.int64)
    assert target.num_outputs == len(labels)
    assert target.task == ("binary" if len(labels) == 2 else "multiclass")


@pytest.mark.parametrize(("positive", "labels"), [("a", ("b", "a")), ("b", ("a", "b"))])
def test_the_positive_class_is_the_last(positive, labels):
    assert fitted(["a", "b"] * 3, positive=positive)[0].labels == labels


@pytest.mark.parametrize(
    ("values", "positive", "labels"),
    [
        ([0, 1] * 3, 0, (1, 0)),
        ([0, 1] * 3, "0", (1, 0)),
        ([0, 1] * 3, "0.0", (1, 0)),
        ([True, False] * 3, False, (True, False)),
    ],
)
def test_the_positive_class_is_named_by_type_or_text(values, positive, labels):
    assert fitted(values, positive=positive)[0].labels == labels


@pytest.mark.parametrize(
    ("values", "data", "message"),
    [
        (["a"] * 4, {}, "at least two values; received only 'a'"),
        (["a", "b", "c", "d"], {}, "repeats its classes; received 4 distinct values in 4 rows"),
        (["a", "b", "c"] * 3, {"task": "binary"}, "binary target takes two values; received 3: 'a', 'b', 'c'"),
        (["a", "b"] * 3, {"positive": "c"}, "names one of two classes; received 'c'"),
        (["a", "b", "c"] * 3, {"positive": "a"}, "names one of two classes; received 'a'"),
        ([1.5] * 4, {}, "at least two values; received 1.5"),
        ([0.1] * 3, {}, "at least two values; received 0.1"),
        (pa.array([None] * 4, pa.float64()), {"task": "regression"}, "at least two values"),
    ],
)
def test_a_target_that_cannot_be_learned_is_refused(values, data, message):
    with pytest.raises(DataError, match=message) as caught:
        fitted(values, **data)
    assert caught.value.where == "column y"


def test_numbers_are_standardised_and_come_back():
    target, encoded = fitted([1.5, 2.5, 4.5, 7.5], "regression")
    assert (target.mean, target.scaling.center, target.scaling.scale) == pytest.approx((4.0, 4.0, np.sqrt(5.25)))
    assert (target.task, target.num_outputs) == ("regression", 1)
    assert encoded.dtype == np.float32
    assert (encoded.mean(), encoded.std()) == pytest.approx((0, 1), abs=1e-6)
    np.testing.assert_allclose(target.decode(encoded), [1.5, 2.5, 4.5, 7.5], rtol=1e-6)


def test_decoding_is_in_double_precision():
    assert NumericTarget(mean=1e9, scaling=LinearScale(center=1e9, scale=1.0)).decode(
        np.array([0.5], np.float32)
    ).tolist() == [1e9 + 0.5]


def test_a_class_that_fitting_never_saw_is_refused():
    with pytest.raises(DataError, match="classes that training saw") as caught:
        ClassTarget(labels=("a", "b")).encode(pa.array(["a", "c", "d"]))
    error = caught.value
    assert (error.received, error.where, error.remedy) == ("'c'", "row 1", "classes: 'a', 'b'")


def test_no_rows_are_encoded_as_none():
    assert ClassTarget(labels=("a", "b")).encode(pa.array([], pa.string())).shape == (0,)


@pytest.mark.parametrize(
    "target",
    [ClassTarget(labels=("a", "b")), ClassTarget(labels=(0, 1, 2)), ClassTarget(labels=(False, True)),
     ClassTarget(labels=(0.5, 1.5)), NumericTarget(mean=0.1, scaling=LinearScale(center=0.1, scale=1 / 3)),
     NumericTarget(mean=0.1, scaling=LogScale(center=0.2, scale=0.3)), NumericTarget(mean=0.1, scaling=None),
     NumericTarget(mean=0.1, scaling=QuantileScale(values=(0.1, 0.7), scores=(-1.1, 1.3)))],
)  # fmt: skip
def test_round_trips_through_json(target):
    copy = target_from_dict(orjson.loads(orjson.dumps(target_to_dict(target))))
    assert copy == target
    assert list(map(type, getattr(copy, "labels", ()))) == list(map(type, getattr(target, "labels", ())))


SKEWED = np.exp(np.random.default_rng(0).normal(0, 2, 400)).round(6)


@pytest.mark.parametrize("scale", ["standard", "robust", "minmax", "quantile", "log1p", "none"])
@pytest.mark.parametrize("values", [SKEWED, -SKEWED, SKEWED - 3], ids=["positive", "negative", "both"])
def test_scaled_targets_come_back(scale, values):
    target, encoded = fitted(values.tolist(), "regression", scale)
    assert target.mean == pytest.approx(values.mean())
    assert encoded.dtype == np.float32
    np.testing.assert_allclose(target.decode(encoded), values, rtol=1e-5, atol=1e-4 * np.ptp(values))


@pytest.mark.parametrize("scale", ["quantile", "log1p"])
def test_a_skewed_target_is_trained_on_without_its_tail(scale):
    _, encoded = fitted(SKEWED.tolist(), "regression", scale)
    assert abs(encoded.mean() - np.median(encoded)) < 0.5
    _, standard = fitted(SKEWED.tolist(), "regression")
    assert standard.max() > 2 * encoded.max()


def test_a_scale_that_the_target_does_not_allow_is_refused():
    with pytest.raises(DataError, match="vary enough for its scale; received robust") as caught:
        fitted([0.0] * 99 + [1.0], "regression", "robust")
    assert (caught.value.where, caught.value.remedy) == ("column y", "set features.target: standard or quantile")


@pytest.mark.parametrize("name", ["rmse", "mae", "r2"])
@pytest.mark.parametrize("scale", ["standard", "log1p", "quantile", "none"])
def test_scores_of_a_fit_are_in_the_targets_own_unit(name, scale):
    target, encoded = fitted(SKEWED.tolist(), "regression", scale)
    predicted = (encoded + 0.25).astype(np.float32)
    metric = own_unit(METRICS[name], target)
    wanted = METRICS[name](target.decode(encoded), target.decode(predicted))
    assert metric(encoded, predicted) == pytest.approx(wanted)
    assert pickle.loads(pickle.dumps(metric))(encoded, predicted) == metric(encoded, predicted)
    assert (metric.name, metric.sign) == (name, METRICS[name].sign)
    assert np.isnan(metric(encoded, np.full(len(encoded), np.nan)))


def test_scores_of_classes_have_no_unit():
    assert own_unit(METRICS["roc_auc"], ClassTarget(labels=("a", "b"))) is METRICS["roc_auc"]


@pytest.mark.filterwarnings("ignore:overflow")
def test_a_target_that_varies_too_much_is_said_so():
    with pytest.raises(DataError) as caught:
        fitted(np.linspace(-3e200, 2e200, 50).tolist())
    assert "vary by less" in caught.value.rule and "-3e+200 to 2e+200" in str(caught.value.received)
