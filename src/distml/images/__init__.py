"""Images in tables: encoded bytes or tensors, and the pixels in them."""

from distml.images.arrays import (
    Shape,
    brightness,
    channel_sums,
    is_encoded,
    is_tensor,
    pixels_of,
    shape_of,
    tensor_array,
    tensor_type,
    without_pixels,
)
from distml.images.codec import MAX_PIXELS, ImageError, decode, encode, raw_encoded, read_shape, shown_shape
from distml.images.look import common_shape
from distml.images.resize import resize, shrunk, with_channels

__all__ = [
    "MAX_PIXELS",
    "ImageError",
    "Shape",
    "brightness",
    "channel_sums",
    "common_shape",
    "decode",
    "encode",
    "is_encoded",
    "is_tensor",
    "pixels_of",
    "raw_encoded",
    "read_shape",
    "resize",
    "shape_of",
    "shown_shape",
    "shrunk",
    "tensor_array",
    "tensor_type",
    "with_channels",
    "without_pixels",
]
