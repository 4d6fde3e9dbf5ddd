import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from distml.images import (
    brightness,
    channel_sums,
    is_encoded,
    is_tensor,
    pixels_of,
    shape_of,
    tensor_array,
    tensor_type,
)

some_pixels = array_shapes(min_dims=3, max_dims=3, max_side=5).flatmap(
    lambda shape: st.sampled_from([1, 3]).flatmap(lambda ch: arrays(np.uint8, (*shape, ch)))
)


@given(pixels=some_pixels, data=st.data())
def test_pixels_come_back_from_an_array_zeros_where_null(pixels, data):
    missing = data.draw(arrays(bool, len(pixels)))
    column = tensor_array(pixels, missing)
    assert column.type == tensor_type(pixels.shape[1:])
    assert shape_of(column.type) == pixels.shape[1:]
    assert np.asarray(column.is_null()).tolist() == missing.tolist()
    expected = np.where(missing[:, None, None, None], 0, pixels)
    np.testing.assert_array_equal(pixels_of(column), expected)
    start = data.draw(st.integers(0, len(pixels)))
    np.testing.assert_array_equal(pixels_of(column[start:]), expected[start:])
    chunked = pa.chunked_array([column[:start], column[start:]])
    np.testing.assert_array_equal(pixels_of(chunked), expected)


def test_a_column_without_rows_or_chunks_has_its_shape():
    kind = tensor_type((4, 5, 3))
    assert pixels_of(pa.chunked_array([], kind)).shape == (0, 4, 5, 3)
    assert len(brightness(pa.schema([("x", kind)]).empty_table().column("x"))) == 0


@given(pixels=some_pixels, cut=st.integers(0, 5))
def test_sums_are_those_of_the_pixels_whatever_the_parts(pixels, cut):
    flat = pixels.reshape(-1, pixels.shape[3]).astype(object)
    counts, sums, squares = channel_sums(pixels)
    assert counts.tolist() == [len(flat)] * pixels.shape[3]
    assert sums.tolist() == flat.sum(axis=0).tolist()
    assert squares.tolist() == (flat**2).sum(axis=0).tolist()
    np.testing.assert_array_equal(channel_sums(pixels[:cut]) + channel_sums(pixels[cut:]), channel_sums(pixels))


def test_brightness_is_the_mean_and_null_without_an_image():
    pixels = np.arange(24, dtype=np.uint8).reshape(2, 2, 2, 3)
    assert brightness(tensor_array(pixels)).to_pylist() == [5.5, 17.5]
    assert brightness(tensor_array(pixels, np.array([True, False]))).to_pylist() == [None, 17.5]


@pytest.mark.parametrize(
    ("kind", "tensor", "encoded"),
    [
        (pa.fixed_shape_tensor(pa.uint8(), (4, 4)), True, False),
        (pa.fixed_shape_tensor(pa.uint8(), (4, 4, 3)), True, False),
        (pa.fixed_shape_tensor(pa.uint8(), (3, 4, 4)), False, False),  # channels first
        (pa.fixed_shape_tensor(pa.uint8(), (4, 4, 1), permutation=[2, 0, 1]), False, False),
        (pa.fixed_shape_tensor(pa.float32(), (4, 4)), False, False),
        (pa.fixed_shape_tensor(pa.uint8(), (16,)), False, False),
        (pa.list_(pa.uint8()), False, False),
        (pa.binary(), False, True),
        (pa.large_binary(), False, True),
        (pa.string(), False, False),
    ],
    ids=str,
)
def test_types_of_images(kind, tensor, encoded):
    assert is_tensor(kind) is tensor
    assert is_encoded(kind) is encoded
