"""Images as tensors: pixels that a network normalises itself, smaller ones for trees."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from distml.batch import TensorSpec
from distml.config.image import ImageConfig
from distml.images import Shape, pixels_of, resize, shrunk
from distml.schema import Column
from distml.summary import ColumnSummary


@dataclass(frozen=True, kw_only=True)
class ImageTransform:
    """One column of images of a shape (h, w, ch), brought to `size`. `mean` and `std`: of each channel's pixels, 0 to
    255, over the training rows; a missing image is the mean's colour everywhere."""

    column: str
    shape: Shape
    size: tuple[int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def transform(self, column: Any) -> np.ndarray:
        """A pyarrow array of tensors as uint8 [n, ch, *size]."""
        pixels = resize(pixels_of(column), self.size)
        if column.null_count:
            missing = np.asarray(column.is_null())
            pixels = np.where(missing[:, None, None, None], np.rint(self.mean).astype(np.uint8), pixels)
        return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))

    @property
    def spec(self) -> TensorSpec:
        return TensorSpec(shape=(self.shape[2], *self.size), mean=self.mean, std=self.std)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> ImageTransform:
        lists = {key: tuple(value[key]) for key in ("shape", "size", "mean", "std")}
        return cls(**{**value, **lists})


def fit_image(column: Column, known: ColumnSummary, config: ImageConfig, *, is_dense: bool) -> ImageTransform:
    """The transform of an image column with at least one image in the training rows."""
    assert column.shape is not None and known.pixels is not None, "a column of images with pixels"
    count, total, squares = known.pixels.astype(float)
    mean = total / count
    variance = np.maximum(squares / count - mean * mean, 0)
    return ImageTransform(
        column=column.name,
        shape=column.shape,
        size=column.shape[:2] if is_dense else shrunk(column.shape, config.max_tree_numbers),
        mean=tuple(mean.tolist()),
        std=tuple(np.sqrt(variance).tolist()),
    )
