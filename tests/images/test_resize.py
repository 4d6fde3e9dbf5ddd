import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from distml.images import resize, shrunk, with_channels

RNG = np.random.default_rng(0)
sides = st.integers(1, 40)


@pytest.mark.parametrize(
    ("before", "after"), [((28, 28), (16, 16)), ((30, 20), (7, 33)), ((5, 9), (10, 9)), ((64, 1), (3, 3))]
)
def test_is_pillows_bilinear_within_a_level(before, after):
    pixels = RNG.integers(0, 256, (3, *before, 3), np.uint8)
    ours = resize(pixels, after).astype(int)
    theirs = [np.asarray(Image.fromarray(image).resize(after[::-1], Image.Resampling.BILINEAR)) for image in pixels]
    assert np.abs(ours - np.array(theirs, int)).max() <= 1


@given(h=sides, w=sides, size=st.tuples(sides, sides), level=st.integers(0, 255))
def test_one_colour_stays_one_colour(h, w, size, level):
    out = resize(np.full((2, h, w, 1), level, np.uint8), size)
    assert out.shape == (2, *size, 1)
    assert (out == level).all()


def test_an_image_alone_is_the_image_among_others():
    pixels = RNG.integers(0, 256, (300, 31, 17, 3), np.uint8)
    together = resize(pixels, (12, 20))
    alone = np.concatenate([resize(pixels[i : i + 1], (12, 20)) for i in range(300)])
    np.testing.assert_array_equal(together, alone)


def test_grey_is_pillows_grey():
    pixels = RNG.integers(0, 256, (50, 50, 3), np.uint8)
    np.testing.assert_array_equal(with_channels(pixels, 1)[:, :, 0], np.asarray(Image.fromarray(pixels).convert("L")))
    np.testing.assert_array_equal(with_channels(with_channels(pixels, 1), 3)[..., 2], with_channels(pixels, 1)[..., 0])


@given(h=st.integers(1, 3000), w=st.integers(1, 3000), channels=st.sampled_from([1, 3]), most=st.integers(3, 1000))
def test_a_shrunken_image_has_no_more_numbers_than_asked(h, w, channels, most):
    height, width = shrunk((h, w, channels), most)
    assert 1 <= height <= h
    assert 1 <= width <= w
    assert height * width * channels <= most
    if h * w * channels <= most:
        assert (height, width) == (h, w)
