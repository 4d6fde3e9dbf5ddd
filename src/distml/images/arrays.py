"""Arrow columns of pixels and what is counted over them, without a loop over rows.

A column of pixels is a `fixed_shape_tensor` of uint8, [h, w] or [h, w, ch].
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

Shape = tuple[int, int, int]  # h, w, ch
_AT_ONCE_BYTES = 16 << 20


def is_encoded(kind: Any) -> bool:
    """Whether a pyarrow type holds bytes, which may be PNG or JPEG."""
    import pyarrow as pa

    return any(test(kind) for test in (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view))


def is_tensor(kind: Any) -> bool:
    """Whether a pyarrow type holds pixels of one size: uint8 [h, w] or [h, w, ch], grey or of three colours."""
    import pyarrow as pa

    if not isinstance(kind, pa.FixedShapeTensorType) or kind.value_type != pa.uint8():
        return False
    in_order = kind.permutation is None or list(kind.permutation) == sorted(kind.permutation)
    shape = tuple(kind.shape)
    return in_order and math.prod(shape) > 0 and (len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3)))


def shape_of(kind: Any) -> Shape:
    """The (h, w, ch) of a tensor type's images."""
    h, w, *channels = kind.shape
    return h, w, channels[0] if channels else 1


def tensor_type(shape: Shape) -> Any:
    """The pyarrow type of images of a shape."""
    import pyarrow as pa

    return pa.fixed_shape_tensor(pa.uint8(), shape)


def tensor_array(pixels: np.ndarray, missing: np.ndarray | None = None) -> Any:
    """uint8 [n, h, w, ch] as a pyarrow array, null where `missing`, bool [n]."""
    import pyarrow as pa

    kind = tensor_type(pixels.shape[1:])
    mask = pa.array(missing) if missing is not None and missing.any() else None
    values = pa.array(np.ascontiguousarray(pixels).reshape(-1))
    storage = pa.FixedSizeListArray.from_arrays(values, type=kind.storage_type, mask=mask)
    return pa.ExtensionArray.from_storage(kind, storage)


def pixels_of(column: Any) -> np.ndarray:
    """A column of pixels as uint8 [n, h, w, ch], zeros where it is null."""
    import pyarrow as pa

    if isinstance(column, pa.ChunkedArray):
        parts = [pixels_of(chunk) for chunk in column.chunks]
        return np.concatenate(parts) if parts else np.empty((0, *shape_of(column.type)), np.uint8)
    flat = column.storage.flatten().to_numpy()  # without the nulls' own
    shape = shape_of(column.type)
    if not column.null_count:
        return flat.reshape(len(column), *shape)
    pixels = np.zeros((len(column), *shape), np.uint8)
    valid = column.is_valid().to_numpy(zero_copy_only=False)
    pixels[valid] = flat.reshape(int(valid.sum()), *shape)
    return pixels


def brightness(column: Any) -> Any:
    """The mean of each image's pixels, 0 to 255, as a pyarrow float64 array; null where there is no image."""
    import pyarrow as pa

    pixels = pixels_of(column)
    flat = pixels.reshape(len(pixels), math.prod(pixels.shape[1:]))
    totals = flat.sum(axis=1, dtype=np.uint64)  # of integers, so the same whatever rows are beside
    missing = np.asarray(column.is_null())
    return pa.array(totals / flat.shape[1], mask=missing)


def without_pixels(table: Any) -> Any:
    """A pyarrow table with images' brightness in their place: for where many rows are kept."""
    for index, column in enumerate(table.schema):
        if is_tensor(column.type):
            table = table.set_column(index, column.name, brightness(table.column(index)))
    return table


def channel_sums(pixels: np.ndarray) -> np.ndarray:
    """Of uint8 [n, h, w, ch] by channel: how many pixels, their sum and the sum of their squares, int64 [3, ch].

    >>> channel_sums(np.array([[[[1], [3]]]], np.uint8)).tolist()
    [[2], [4], [10]]
    """
    total = np.zeros((3, pixels.shape[3]), np.int64)
    for part in in_parts(pixels):
        flat = part.reshape(-1, part.shape[3])
        squares = np.square(flat, dtype=np.uint16)  # 255 squared fits exactly
        total[0] += len(flat)
        total[1] += flat.sum(axis=0, dtype=np.int64)
        total[2] += squares.sum(axis=0, dtype=np.int64)
    return total


def in_parts(pixels: np.ndarray) -> Iterator[np.ndarray]:
    """Some images at a time, so that what is computed of them stays within some megabytes."""
    step = max(1, _AT_ONCE_BYTES // math.prod(pixels.shape[1:]))
    for start in range(0, len(pixels), step):
        yield pixels[start : start + step]
