"""Pixels to another size and number of channels. An image comes out the same alone and among thousands."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np

from distml.images.arrays import in_parts


def resize(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """uint8 [n, h, w, ch] as uint8 [n, *size, ch], by the triangle filter, widened where it shrinks.

    Pillow's BILINEAR within one level: that rounds in between as well.
    """
    if pixels.shape[1:3] == size:
        return pixels
    out = np.empty((len(pixels), *size, pixels.shape[3]), np.uint8)
    start = 0
    for part in in_parts(pixels):
        found = _along(2, _along(1, part.astype(np.float32), size[0]), size[1])
        out[start : start + len(part)] = np.rint(np.clip(found, 0, 255))
        start += len(part)
    return out


def _along(axis: int, images: np.ndarray, after: int) -> np.ndarray:
    """float32 [n, h, w, ch] with so many pixels along an axis.

    By a sparse product, which adds up each number by itself: it is the same whatever stands beside it.
    """
    if images.shape[axis] == after:
        return images
    moved = np.moveaxis(images, axis, 0)
    out = _weights(len(moved), after) @ np.ascontiguousarray(moved).reshape(len(moved), -1)
    return np.moveaxis(out.reshape(after, *moved.shape[1:]), 0, axis)


@lru_cache(maxsize=64)
def _weights(before: int, after: int) -> Any:
    """What each new pixel takes of each old one along a side, scipy's sparse float32 [after, before]; rows sum to 1."""
    from scipy.sparse import csr_array

    scale = before / after
    reach = max(scale, 1.0)
    centres = (np.arange(after) + 0.5) * scale
    distance = np.abs(np.arange(before) + 0.5 - centres[:, None]) / reach
    weights = np.clip(1 - distance, 0, None)
    return csr_array((weights / weights.sum(axis=1, keepdims=True)).astype(np.float32))


def with_channels(pixels: np.ndarray, channels: int) -> np.ndarray:
    """uint8 [..., ch] with 1 channel or 3: grey as three equal colours, colours as ITU-R 601 luma, as Pillow does.

    >>> with_channels(np.array([[255, 0, 0]], np.uint8), 1).tolist()
    [[76]]
    """
    if pixels.shape[-1] == channels:
        return pixels
    if channels == 3:
        return np.repeat(pixels, 3, axis=-1)
    red, green, blue = np.moveaxis(pixels.astype(np.uint32), -1, 0)
    return ((red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16).astype(np.uint8)[..., None]


def shrunk(shape: tuple[int, int, int], max_numbers: int) -> tuple[int, int]:
    """The largest (h, w) of about the same proportions with at most so many numbers over all channels.

    >>> shrunk((28, 28, 1), 256), shrunk((480, 640, 3), 256), shrunk((8, 8, 1), 256)
    ((16, 16), (8, 10), (8, 8))
    """
    h, w, channels = shape
    scale = min(1.0, math.sqrt(max_numbers / (h * w * channels)))
    height = max(1, min(math.floor(h * scale), max_numbers // channels))
    return height, max(1, min(math.floor(w * scale), max_numbers // (channels * height)))
