import base64

import numpy as np
import pytest

from distml.images import ImageError, decode, encode
from distml.images.json import from_json, to_json

PIXELS = np.random.default_rng(0).integers(0, 256, (4, 5, 3), np.uint8)


@pytest.mark.parametrize("pixels", [PIXELS, PIXELS[:, :, :1]], ids=["colours", "grey"])
def test_an_image_comes_back(pixels):
    np.testing.assert_array_equal(decode(from_json(to_json(pixels))), pixels)
    np.testing.assert_array_equal(decode(from_json(pixels.tolist())), pixels)


def test_lists_of_grey_need_no_channels():
    np.testing.assert_array_equal(decode(from_json(PIXELS[:, :, 0].tolist())), PIXELS[:, :, :1])


def test_base64_is_taken_as_it_is():
    assert from_json(base64.b64encode(b"no image").decode()) == b"no image"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("not base64!", "isn't base64"),
        ("é", "isn't base64"),
        (7, "type int"),
        ({}, "type dict"),
        ([], r"shape \[0"),
        ([1, 2], r"shape \[2"),
        ([[1, 2], [3]], "different lengths"),
        ([[[1, 2]]], r"shape \[1, 1, 2\]"),
        ([[256]], "from 0 to 255"),
        ([[-1]], "from 0 to 255"),
        ([[0.5]], "whole numbers"),
        ([[True]], "whole numbers"),
        ([["a"]], "whole numbers"),
        ([[None]], "whole numbers"),
        ([[2**70]], "whole numbers"),
    ],
    ids=repr,
)
def test_other_values_are_refused(value, told):
    with pytest.raises(ImageError, match=told):
        from_json(value)


def test_what_is_written_is_small():
    assert len(to_json(np.zeros((28, 28, 1), np.uint8))) < 150
    assert encode(PIXELS).startswith(b"\x89PNG")
