"""Encoded images to pixels and back, by Pillow. A file is read without trusting anything that it says of itself."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np

from distml.errors import ConfigError

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
MAX_PIXELS = 1 << 26  # a file of kilobytes can say that it is gigabytes of one colour
_ORIENTATION = 0x0112  # the EXIF tag: cameras write pixels as they come and how they are to be turned
# What Pillow's readers raise at damaged files, each in its own way.
_DAMAGE = (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, AttributeError, OverflowError,
           ZeroDivisionError, NotImplementedError, struct.error, zlib.error)  # fmt: skip


class ImageError(Exception):
    """Why bytes are no image."""


def decode(content: bytes) -> np.ndarray:
    """The pixels of an encoded image, uint8 [h, w, ch], ch 1 for grey and 3 for colours; of an animation the first.

    Transparency is left out, what a camera turned is turned back, 16 bits become 8. Raises `ImageError`.
    """
    from PIL import Image, ImageOps

    image = _open(content)
    try:
        image.load()
        if image.getexif().get(_ORIENTATION, 1) != 1:
            image = ImageOps.exif_transpose(image)
        if image.mode.startswith("I;16"):
            return (np.asarray(image) >> 8).astype(np.uint8)[:, :, None]
        pixels = np.asarray(image.convert("L" if _is_grey(image) else "RGB"))
    except (*_DAMAGE, Image.DecompressionBombError) as error:
        raise ImageError(_line(error)) from error
    return pixels.reshape(*pixels.shape[:2], -1)


def read_shape(content: bytes) -> tuple[int, int, int]:
    """The (h, w, ch) that `decode` would give, from the file's first bytes alone. Raises `ImageError`."""
    from PIL import Image

    image = _open(content)
    try:
        # Not PNG's own `getexif`: that decodes the whole image, to find what may stand at its end.
        is_turned = Image.Image.getexif(image).get(_ORIENTATION, 1) in (5, 6, 7, 8)
    except _DAMAGE as error:
        raise ImageError(_line(error)) from error
    w, h = reversed(image.size) if is_turned else image.size
    return h, w, 1 if _is_grey(image) else 3


def encode(pixels: np.ndarray) -> bytes:
    """uint8 [h, w, ch] as PNG, which loses nothing."""
    from PIL import Image

    sink = io.BytesIO()
    Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(sink, "PNG", optimize=True)
    return sink.getvalue()


def raw_encoded(pixels: np.ndarray) -> bytes:
    """uint8 [h, w, ch] as PGM or PPM: a line of text and the pixels as they are."""
    h, w, channels = pixels.shape
    return f"P{5 if channels == 1 else 6} {w} {h} 255\n".encode() + pixels.tobytes()


def shown_shape(shape: tuple[int, int, int]) -> str:
    """
    >>> shown_shape((28, 32, 1)), shown_shape((28, 32, 3))
    ('28 x 32 grey', '28 x 32 in colours')
    """
    h, w, channels = shape
    return f"{h} x {w} {'grey' if channels == 1 else 'in colours'}"


def _open(content: bytes) -> Any:
    try:
        from PIL import Image
    except ImportError as error:
        raise ConfigError(
            "images are read by Pillow", received="it isn't installed", remedy="pip install 'distml[images]'"
        ) from error
    try:
        image = Image.open(io.BytesIO(content), formats=FORMATS)
    except (*_DAMAGE, Image.DecompressionBombError) as error:
        known = "PNG, JPEG and the like" if isinstance(error, Image.UnidentifiedImageError) else _line(error)
        raise ImageError(f"not {known}" if isinstance(error, Image.UnidentifiedImageError) else known) from error
    if image.width * image.height > MAX_PIXELS:
        raise ImageError(f"{image.height} x {image.width} pixels, more than {MAX_PIXELS:,}")
    return image


def _is_grey(image: Any) -> bool:
    return image.mode in ("1", "L", "LA", "La", "I", "F") or image.mode.startswith("I;16")


def _line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
