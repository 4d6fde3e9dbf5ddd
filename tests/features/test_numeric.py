import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distml.features import NumericTransform
from distml.scaling import LinearScale

NAN = float("nan")
SCALE = LinearScale(center=1.0, scale=2.0)


@pytest.mark.parametrize(
    ("transform", "names", "wanted"),
    [
        (NumericTransform(column="x"), ["x"], [[1.0], [NAN], [5.0]]),
        (NumericTransform(column="x", fill=3.0), ["x"], [[1.0], [3.0], [5.0]]),
        (NumericTransform(column="x", fill=3.0, indicator=True), ["x", "x_missing"], [[1, 0], [3, 1], [5, 0]]),
        (NumericTransform(column="x", fill=3.0, scaling=SCALE), ["x"], [[0.0], [1.0], [2.0]]),
        (NumericTransform(column="x", scaling=SCALE), ["x"], [[0.0], [NAN], [2.0]]),
        (NumericTransform(column="x", indicator=True), ["x", "x_missing"], [[1, 0], [NAN, 1], [5, 0]]),
        (NumericTransform(column="x", fill=9.0, low=2.0, high=4.0), ["x"], [[2.0], [4.0], [4.0]]),
        (NumericTransform(column="x", low=2.0, scaling=SCALE), ["x"], [[0.5], [NAN], [2.0]]),
        (NumericTransform(column="x", suffix="_epoch"), ["x_epoch"], [[1.0], [NAN], [5.0]]),
        (
            NumericTransform(column="x", fill=3.0, edges=(0.0, 2.0, 4.0), indicator=True),
            ["x[0..2]", "x[2..4]", "x_missing"],
            [[0.5, 0, 0], [1, 0.5, 1], [1, 1.5, 0]],
        ),
    ],
)
def test_numbers_are_filled_clipped_scaled_and_marked(transform, names, wanted):
    found = transform.transform(pa.array([1.0, None, 5.0]))
    np.testing.assert_array_equal(found, wanted)
    assert (list(transform.names), transform.width, found.dtype) == (names, len(names), np.float32)


def test_dates_are_seconds():
    found = NumericTransform(column="t").transform(pa.array([1_500_000, None], pa.timestamp("us")))
    np.testing.assert_array_equal(found, [[1.5], [NAN]])


@pytest.mark.parametrize("value", [1e300, -1e300, np.inf, -np.inf])
@pytest.mark.parametrize("edges", [(), (0.0, 1.0, 2.0)])
def test_what_a_float32_does_not_hold_is_its_end(value, edges):
    found = NumericTransform(column="x", fill=0.0, edges=edges).transform(pa.array([value]))
    assert np.isfinite(found).all()


@given(
    edges=st.lists(st.integers(-50, 50), min_size=2, max_size=9, unique=True).map(sorted),
    values=st.lists(st.floats(-60, 60), min_size=1, max_size=30),
)
def test_bins_add_up_to_how_far_a_value_is_through_them(edges, values):
    """Gorishniy et al. (2022): the encoding is a path along which each bin's share, times its width, is the value."""
    edges = tuple(map(float, edges))
    found = NumericTransform(column="x", fill=0.0, edges=edges).transform(pa.array(values))
    np.testing.assert_allclose(found @ np.diff(edges) + edges[0], values, atol=1e-3)
    inner = found[:, 1:-1]
    assert ((inner >= 0) & (inner <= 1)).all()
    assert (np.diff(np.clip(found, 0, 1), axis=1) <= 0).all()


def test_values_that_were_read_are_left_as_they_are():
    column = pa.array([1.0, 5.0])
    NumericTransform(column="x", fill=0.0, low=2.0, high=3.0, scaling=SCALE).transform(column)
    assert column.to_pylist() == [1.0, 5.0]
