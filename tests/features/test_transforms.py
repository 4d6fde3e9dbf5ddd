import pickle

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtri

from distml.features import CategoricalTransform, NumericTransform, QuantileScale, StandardScale

NAN = float("nan")
NUMBERS = st.floats(-1e6, 1e6)
LIMIT = ndtri(1 - 1e-7)


def test_standard_scale():
    assert StandardScale(center=2.0, scale=4.0).transform(np.array([2.0, 6.0, 0.0])).tolist() == [0.0, 1.0, -0.5]


@given(st.lists(NUMBERS, min_size=2, max_size=50), st.lists(NUMBERS, min_size=2, max_size=20))
def test_a_quantile_scale_never_falls_and_is_bounded(sample, values):
    scaled = QuantileScale.from_sample(np.array(sample)).transform(np.sort(values))
    assert (np.diff(scaled) >= 0).all()
    assert (np.abs(scaled) <= LIMIT).all()


def test_a_quantile_scale_makes_its_sample_normal():
    sample = np.random.default_rng(0).exponential(size=5000)
    scaled = QuantileScale.from_sample(sample).transform(sample)
    inner = np.sort(scaled)[5:-5]
    wanted = ndtri((np.arange(5000) + 0.5) / 5000)[5:-5]
    assert np.abs(inner - wanted).max() < 0.1
    assert abs(np.median(scaled)) < 0.01


@pytest.mark.parametrize("value", [-1e9, 1e9])
def test_values_outside_the_sample_are_its_ends(value):
    scale = QuantileScale.from_sample(np.arange(10.0))
    assert scale.transform(np.array([value]))[0] == pytest.approx(np.sign(value) * LIMIT)


def test_a_value_that_repeats_gets_the_middle_of_its_ranks():
    scale = QuantileScale.from_sample(np.r_[np.zeros(600), np.arange(1, 401)])
    assert scale.transform(np.array([0.0]))[0] == pytest.approx(ndtri(0.3), abs=0.01)
    assert scale.values[0] == 0.0
    assert len(set(scale.values)) == len(scale.values) == len(scale.ranks)


def test_few_references_are_kept_of_many_values():
    scale = QuantileScale.from_sample(np.random.default_rng(0).normal(size=10_000))
    assert len(scale.values) == 1000


def test_missing_stays_missing_without_a_fill():
    transform = NumericTransform(column="x")
    np.testing.assert_array_equal(transform.transform(pa.array([1.0, None]))[0], [1.0, NAN])
    assert transform.width == 1


@pytest.mark.parametrize(
    ("transform", "wanted"),
    [
        (NumericTransform(column="x", fill=3.0), [[1.0, 3.0, 5.0]]),
        (NumericTransform(column="x", fill=3.0, indicator=True), [[1.0, 3.0, 5.0], [0.0, 1.0, 0.0]]),
        (NumericTransform(column="x", fill=3.0, scaling=StandardScale(center=1.0, scale=2.0)), [[0.0, 1.0, 2.0]]),
        (NumericTransform(column="x", scaling=StandardScale(center=1.0, scale=2.0)), [[0.0, NAN, 2.0]]),
        (NumericTransform(column="x", indicator=True), [[1.0, NAN, 5.0], [0.0, 1.0, 0.0]]),
    ],
)
def test_numbers_are_filled_scaled_and_marked(transform, wanted):
    found = transform.transform(pa.array([1.0, None, 5.0]))
    np.testing.assert_array_equal(found, wanted)
    assert transform.width == len(wanted)


def test_dates_are_seconds():
    transform = NumericTransform(column="t")
    np.testing.assert_array_equal(transform.transform(pa.array([1_500_000, None], pa.timestamp("us")))[0], [1.5, NAN])


def test_categories_are_coded():
    transform = CategoricalTransform(column="c", vocabulary=("b", "a"))
    codes = transform.transform(pa.array(["a", "b", None, "z", ""]))
    assert (codes.tolist(), codes.dtype) == ([3, 2, 0, 1, 1], np.int64)
    assert transform.cardinality == 4


def test_an_empty_vocabulary_knows_missing_and_unknown():
    transform = CategoricalTransform(column="c", vocabulary=())
    assert transform.transform(pa.array(["a", None])).tolist() == [1, 0]
    assert transform.cardinality == 2


def test_no_rows_are_no_codes():
    assert CategoricalTransform(column="c", vocabulary=("a",)).transform(pa.array([], pa.string())).tolist() == []


@pytest.mark.parametrize(
    "transform",
    [
        CategoricalTransform(column="c", vocabulary=("a", "b")),
        NumericTransform(column="x", fill=1.0, scaling=QuantileScale.from_sample(np.arange(9.0)), indicator=True),
        NumericTransform(column="x", scaling=StandardScale(center=1.0, scale=2.0)),
    ],
    ids=["categorical", "quantile", "standard"],
)
def test_pickles(transform):
    copy = pickle.loads(pickle.dumps(transform))
    assert copy == transform
    values = pa.array(["a", None]) if isinstance(transform, CategoricalTransform) else pa.array([2.5, None])
    np.testing.assert_array_equal(copy.transform(values), transform.transform(values))
