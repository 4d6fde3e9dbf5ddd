import numpy as np
import pyarrow as pa
import pytest

from distml.hashing import mix
from distml.scaling import LinearScale, LogScale, Numbers, QuantileScale
from distml.summary import TableSummary

VALUES = [1.0, 2.0, 4.0, 9.0, None]


def numbers(values=VALUES, sample_size=100) -> Numbers:
    """Of a summary whose sample takes the last values first."""
    summary = TableSummary({"x": "numeric"}, sample_size=sample_size)
    rows = np.arange(len(values), dtype=np.uint64)
    rows = rows[np.argsort(mix(rows))[::-1]]
    summary.update(pa.table({"x": pa.array(values, pa.float64())}), rows)
    return Numbers.of("x", summary)


@pytest.mark.parametrize(
    ("scale", "wanted"),
    [
        ("none", None),
        ("standard", LinearScale(center=4.0, scale=np.std([1, 2, 4, 9]))),
        ("robust", LinearScale(center=3.0, scale=3.5)),
        ("minmax", LinearScale(center=1.0, scale=8.0)),
    ],
)
def test_linear_scales(scale, wanted):
    found = numbers().scaled(scale)
    assert found == wanted or (found.center, found.scale) == pytest.approx((wanted.center, wanted.scale))


def test_a_log_scale_standardises_the_logarithms():
    scale = numbers().scaled("log1p")
    assert isinstance(scale, LogScale)
    scaled = scale.transform(np.array([1.0, 2.0, 4.0, 9.0]))
    assert (scaled.mean(), scaled.std()) == pytest.approx((0, 1))


def test_a_quantile_scale():
    assert isinstance(numbers().scaled("quantile"), QuantileScale)


@pytest.mark.parametrize("scale", ["standard", "robust", "minmax", "log1p", "quantile"])
def test_one_value_has_no_scale(scale):
    assert numbers([0.1, 0.1, 0.1, None]).scaled(scale) is None


@pytest.mark.parametrize(
    ("values", "scale"),
    [([0.0] * 9 + [1.0], "robust"), ([-1e308, 1e308], "standard"), ([-1e308, 1e308], "minmax")],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_values_that_do_not_vary_enough_for_a_scale(values, scale):
    assert numbers(values).scaled(scale) is None


def test_within_bounds():
    clipped = numbers().within(2.0, 5.0)
    assert sorted(clipped.values) == [2.0, 2.0, 4.0, 5.0]
    assert (clipped.least, clipped.most, clipped.mean) == (2.0, 5.0, 3.25)
    assert numbers().within(None, 3.0).least == 1.0
    same = numbers()
    assert same.within(None, None) is same


def test_a_sample_without_a_value_has_the_extremes():
    found = numbers([3.0, 5.0, 4.0] + [None] * 50, sample_size=20)
    assert found.values.tolist() == [3.0, 5.0]
    assert (found.least, found.most, found.mean) == (3.0, 5.0, 4.0)
