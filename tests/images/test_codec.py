import contextlib
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from distml.images import ImageError, codec, decode, encode, raw_encoded, read_shape

COLOURS = np.random.default_rng(0).integers(0, 256, (7, 5, 3), np.uint8)
GREY = COLOURS[:, :, :1]


def saved(image: Image.Image, kind: str, **options) -> bytes:
    sink = io.BytesIO()
    image.save(sink, kind, **options)
    return sink.getvalue()


PNG, JPEG = saved(Image.fromarray(COLOURS), "PNG"), saved(Image.fromarray(COLOURS), "JPEG", quality=90)


@pytest.mark.parametrize("pixels", [GREY, COLOURS], ids=["grey", "colours"])
@pytest.mark.parametrize("write", [encode, raw_encoded])
def test_what_is_written_is_read(write, pixels):
    content = write(pixels)
    np.testing.assert_array_equal(decode(content), pixels)
    assert read_shape(content) == pixels.shape


@pytest.mark.parametrize(
    ("mode", "kind", "channels"),
    [("1", "PNG", 1), ("L", "PNG", 1), ("LA", "PNG", 1), ("P", "PNG", 3), ("RGBA", "PNG", 3), ("P", "GIF", 3),
     ("RGB", "WEBP", 3), ("RGB", "BMP", 3), ("CMYK", "JPEG", 3), ("L", "JPEG", 1), ("RGB", "TIFF", 3)],
)  # fmt: skip
def test_every_mode_is_grey_or_of_three_colours(mode, kind, channels):
    content = saved(Image.fromarray(COLOURS).convert(mode), kind)
    pixels = decode(content)
    assert pixels.dtype == np.uint8
    assert pixels.shape == read_shape(content) == (7, 5, channels)


def test_sixteen_bits_keep_their_upper_eight():
    values = np.array([[0, 255, 256, 65535]], np.uint16)
    content = saved(Image.fromarray(values), "PNG")
    assert decode(content)[:, :, 0].tolist() == [[0, 0, 1, 255]]
    assert read_shape(content) == (1, 4, 1)


def test_what_a_camera_turned_is_turned_back():
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    content = saved(Image.fromarray(COLOURS), "PNG", exif=exif)
    assert read_shape(content) == (5, 7, 3)
    np.testing.assert_array_equal(decode(content), np.rot90(COLOURS, -1))


@pytest.mark.parametrize("content", [b"", b"x", b"GIF89a", PNG[:-40], PNG[:40], JPEG[:-30], JPEG[:100], b"%PDF-1.7"])
def test_damaged_and_other_files_are_refused(content):
    with pytest.raises(ImageError, match=r"\w"):
        decode(content)


TIFF, WEBP = saved(Image.fromarray(COLOURS), "TIFF"), saved(Image.fromarray(COLOURS), "WEBP")


@pytest.mark.filterwarnings("ignore:.*:UserWarning:PIL")
@given(data=st.data(), content=st.sampled_from([PNG, JPEG, TIFF, WEBP, raw_encoded(GREY)]))
def test_no_damage_raises_anything_else(data, content):
    damaged = bytearray(content)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ImageError):
        read_shape(bytes(damaged))
        assert decode(bytes(damaged)).dtype == np.uint8


def test_an_image_larger_than_the_limit_is_not_decoded(monkeypatch):
    monkeypatch.setattr(codec, "MAX_PIXELS", 34)
    for read in (decode, read_shape):
        with pytest.raises(ImageError, match="7 x 5 pixels, more than 34"):
            read(PNG)
