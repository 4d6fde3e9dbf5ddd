"""Images in JSON: base64 of an encoded image, or nested lists of pixels."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import numpy as np

from distml.images.codec import ImageError, encode, raw_encoded

WANTED = "base64 of a PNG, JPEG or the like, or lists of pixels [h][w] or [h][w][3] from 0 to 255, or null"


def from_json(value: Any) -> bytes:
    """What stands for an image in JSON as an encoded image. Raises `ImageError` where it can be none."""
    if isinstance(value, str):
        try:
            return base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError) as error:
            raise ImageError("a text that isn't base64") from error
    if not isinstance(value, (list, np.ndarray)):
        raise ImageError(f"a value of type {type(value).__name__}")
    try:
        pixels = np.array(value)
    except ValueError as error:
        raise ImageError("lists of different lengths") from error
    if pixels.ndim == 2:
        pixels = pixels[:, :, None]
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 3) or not pixels.size:
        raise ImageError(f"lists of shape {list(pixels.shape)}")
    if pixels.dtype.kind not in "iu" or pixels.min() < 0 or pixels.max() > 255:
        raise ImageError("pixels that aren't whole numbers from 0 to 255")
    return raw_encoded(pixels.astype(np.uint8))


def to_json(pixels: np.ndarray) -> str:
    """uint8 [h, w, ch] as base64 of a PNG."""
    return base64.b64encode(encode(pixels)).decode("ascii")
