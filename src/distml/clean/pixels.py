"""Images of a column as pixels of one shape: read, brought to size, and found where they can't be."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from distml.clean.convert import as_mask
from distml.clean.rules import Found
from distml.images import (
    ImageError,
    decode,
    is_encoded,
    is_tensor,
    pixels_of,
    resize,
    shape_of,
    shown_shape,
    tensor_array,
    with_channels,
)
from distml.schema import Column

OnImage = Literal["fail", "quarantine", "drop", "null"]


@dataclass
class _Pixels:
    """Images as they come in: uint8 [n, h, w, ch], and by rule what is wrong with which rows."""

    column: Column
    pixels: np.ndarray
    damaged: dict[int, str] = field(default_factory=dict)
    other_size: dict[int, str] = field(default_factory=dict)
    colourful: dict[int, str] = field(default_factory=dict)

    def put(self, rows: np.ndarray, images: np.ndarray) -> None:
        """Images [m, h, w, ch] of one shape into rows [m]."""
        h, w, channels = self._shape
        told = shown_shape(images.shape[1:])
        if images.shape[1:3] != (h, w) and not self.column.resize:
            self.other_size |= dict.fromkeys(rows.tolist(), told)
            return
        if images.shape[3] > channels:
            self.colourful |= dict.fromkeys(rows.tolist(), told)
        self.pixels[rows] = resize(with_channels(images, channels), (h, w))

    @property
    def _shape(self) -> tuple[int, int, int]:
        assert self.column.shape is not None, "an image column has a shape"
        return self.column.shape


def clean_images(column: Column, values: Any, action: OnImage, kept: np.ndarray, found: Found) -> Any:
    """A pyarrow array of encoded images or tensors as one of tensors of the column's shape, null where there is none.

    Rows with an image that can't be read, or has another size where none was asked for, are treated by `action`.
    """
    assert column.shape is not None, "an image column has a shape"
    if is_tensor(values.type) and shape_of(values.type) == column.shape and tuple(values.type.shape) == column.shape:
        return values
    valid = as_mask(values.is_valid())
    read = _Pixels(column, np.zeros((len(values), *column.shape), np.uint8))
    rows = np.flatnonzero(valid)
    if is_tensor(values.type):
        read.put(rows, pixels_of(values)[valid])
    elif is_encoded(values.type):
        for row in rows:
            try:
                read.put(np.array([row]), decode(values[int(row)].as_py())[None])
            except ImageError as error:
                read.damaged[int(row)] = str(error)
    else:
        read.damaged = dict.fromkeys(rows.tolist(), str(values.type))
    lost = _told(read, action, found)
    if action != "null":
        kept &= ~lost
    return tensor_array(read.pixels, ~valid | lost)


def _told(read: _Pixels, action: OnImage, found: Found) -> np.ndarray:
    """Notes what was found; bool [n], which rows have no image by it."""
    n, (h, w, _) = len(read.pixels), read._shape
    clean = "set clean.images: quarantine, drop or null"
    lost = np.zeros(n, bool)
    for rule, rows, remedy in (
        ("an image can be read", read.damaged, f"bring the image again, or {clean}"),
        (f"an image of this column is {h} x {w}", read.other_size, f"set features.image.size: [{h}, {w}], or {clean}"),
    ):
        lost |= _note(rule, rows, n, action, found, remedy)
    _note(
        "an image of a grey column has no colours",
        read.colourful,
        n,
        "replace",
        found,
        "set features.image.channels: 3",
    )
    return lost


def _note(rule: str, rows: dict[int, str], n: int, action: Any, found: Found, remedy: str) -> np.ndarray:
    mask = np.zeros(n, bool)
    mask[list(rows)] = True
    return found(rule, mask, action, _Texts(rows), remedy) if rows else mask


@dataclass(frozen=True)
class _Texts:
    """What was received, by row, where findings look for it."""

    texts: dict[int, str]

    def __getitem__(self, row: int) -> Any:
        import pyarrow as pa

        return pa.scalar(self.texts[row])
