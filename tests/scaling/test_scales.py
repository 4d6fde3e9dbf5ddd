import pickle

import numpy as np
import orjson
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.special import ndtri

from distml.scaling import LinearScale, LogScale, QuantileScale, scaling_from_dict, scaling_to_dict

NUMBERS = st.floats(-1e6, 1e6)
SAMPLE = np.random.default_rng(0).normal(size=5000)
SCALES = {
    "linear": LinearScale(center=1.5, scale=0.3),
    "log1p": LogScale(center=0.2, scale=1.7),
    "quantile": QuantileScale.from_sample(SAMPLE),
    "skewed": QuantileScale.from_sample(np.exp(3 * SAMPLE)),
    "crowded": QuantileScale.from_sample(np.r_[SAMPLE * 1e-6, 1 + SAMPLE * 1e-6]),
    "few": QuantileScale.from_sample(np.array([1.0, 2.0, 2.0])),
}
every_scale = pytest.mark.parametrize("scale", SCALES.values(), ids=SCALES)
quantile_scale = pytest.mark.parametrize("name", ["quantile", "skewed", "crowded", "few"])


def test_a_linear_scale():
    assert LinearScale(center=2.0, scale=4.0).transform(np.array([2.0, 6.0, 0.0])).tolist() == [0.0, 1.0, -0.5]


def test_a_log_scale_mirrors_what_is_negative():
    scaled = LogScale(center=1.0, scale=2.0).transform(np.array([np.e - 1, 0.0, 1 - np.e]))
    assert scaled.tolist() == pytest.approx([0.0, -0.5, -1.0])


@every_scale
@given(values=st.lists(NUMBERS, min_size=1, max_size=200))
def test_any_block_of_values_is_scaled_alike(scale, values):
    values = np.array(values)
    parts = [scale.transform(values[:1]), scale.transform(values[1:])]
    assert np.concatenate(parts).tobytes() == scale.transform(values).tobytes()


@every_scale
@given(values=st.lists(NUMBERS, min_size=2, max_size=100))
def test_a_scale_never_falls(scale, values):
    assert (np.diff(scale.transform(np.sort(values))) >= 0).all()


@every_scale
def test_missing_stays_missing(scale):
    values = np.r_[np.nan, np.linspace(-3, 3, 100)]  # a lone value takes another way
    for scaled in (scale.transform(values[:1]), scale.transform(values)):
        assert np.isnan(scaled).tolist() == np.isnan(values[: len(scaled)]).tolist()


@every_scale
def test_scales_round_trip_through_json_and_pickle(scale):
    values = np.linspace(-5, 5, 1000)
    for copy in (
        scaling_from_dict(orjson.loads(orjson.dumps(scaling_to_dict(scale)))),
        pickle.loads(pickle.dumps(scale)),
    ):
        assert copy == scale
        assert copy.transform(values).tobytes() == scale.transform(values).tobytes()
        assert copy.inverse(values).tobytes() == scale.inverse(values).tobytes()


def test_no_scale_round_trips():
    assert scaling_from_dict(scaling_to_dict(None)) is None


@given(values=st.lists(NUMBERS, min_size=1, max_size=50), center=NUMBERS, scale=st.floats(1e-3, 1e3))
def test_the_way_back_from_a_linear_scale(values, center, scale):
    fitted = LinearScale(center=center, scale=scale)
    np.testing.assert_allclose(fitted.inverse(fitted.transform(np.array(values))), values, atol=1e-6)


@given(st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=50))
def test_the_way_back_from_a_log_scale(values):
    scale = SCALES["log1p"]
    np.testing.assert_allclose(scale.inverse(scale.transform(np.array(values))), values, rtol=1e-9, atol=1e-9)


def test_the_way_back_from_far_logs_is_a_number():
    assert np.isfinite(SCALES["log1p"].inverse(np.array([-1e6, 1e6]))).all()


@quantile_scale
def test_the_way_back_from_a_quantile_scale(name):
    scale = SCALES[name]
    values = np.linspace(scale.values[0], scale.values[-1], 1000)
    span = scale.values[-1] - scale.values[0]
    np.testing.assert_allclose(scale.inverse(scale.transform(values)), values, rtol=0, atol=1e-9 * span)


# Quantiles


@quantile_scale
@given(values=st.lists(st.floats(allow_nan=True), min_size=64, max_size=100))
def test_places_are_those_of_interpolation(name, values):
    scale = SCALES[name]
    values = np.r_[np.array(values), scale.values, np.nextafter(scale.values, -np.inf), np.nextafter(scale.values, 9)]
    wanted = np.interp(values, scale.values, scale.scores)
    np.testing.assert_allclose(scale.transform(values), wanted, rtol=0, atol=1e-9)


@given(st.lists(st.floats(-1e300, 1e300), min_size=2, max_size=80, unique=True))
def test_any_references_are_found_among_many_values(sample):
    scale = QuantileScale.from_sample(np.array(sample))
    assume(len(scale.values) > 1)
    values = np.r_[scale.values, scale.values, np.zeros(100), -0.0]
    one_by_one = np.concatenate([scale.transform(values[i : i + 1]) for i in range(len(values))])
    assert scale.transform(values).tobytes() == one_by_one.tobytes()


@given(st.lists(NUMBERS, min_size=2, max_size=50), st.lists(NUMBERS, min_size=2, max_size=20))
def test_a_quantile_scale_is_bounded_by_its_samples_size(sample, values):
    scaled = QuantileScale.from_sample(np.array(sample)).transform(np.array(values))
    assert (np.abs(scaled) <= ndtri(1 - 0.5 / len(sample)) + 1e-12).all()


@pytest.mark.parametrize("shape", [np.exp, lambda x: x, lambda x: np.cbrt(x), lambda x: 1.7e9 + 1e5 * x])
def test_a_quantile_scale_makes_its_sample_normal(shape):
    sample = shape(SAMPLE)
    scaled = np.sort(QuantileScale.from_sample(sample).transform(sample))
    wanted = ndtri((np.arange(5000) + 0.5) / 5000)
    assert np.abs(scaled - wanted)[5:-5].max() < 0.1
    assert abs(np.median(scaled)) < 0.01


@pytest.mark.parametrize("value", [-1e9, 1e9, -np.inf, np.inf])
def test_values_outside_the_sample_are_its_ends(value):
    scale = QuantileScale.from_sample(np.arange(10.0))
    assert scale.transform(np.array([value]))[0] == pytest.approx(np.sign(value) * ndtri(0.95))


def test_a_value_that_repeats_gets_the_middle_of_its_ranks():
    scale = QuantileScale.from_sample(np.r_[np.zeros(600), np.arange(1, 401)])
    assert scale.transform(np.array([0.0]))[0] == pytest.approx(ndtri(0.3), abs=0.01)
    assert scale.values[0] == 0.0
    assert len(set(scale.values)) == len(scale.values) == len(scale.scores)


def test_few_references_are_kept_of_many_values():
    assert len(QuantileScale.from_sample(np.random.default_rng(0).normal(size=10_000)).values) == 1000
