"""What the images of a column are, from the first of them."""

from __future__ import annotations

from typing import Any

from distml.errors import DataError
from distml.images.arrays import Shape, is_tensor, shape_of
from distml.images.codec import ImageError, read_shape

_NUM_LOOKED_AT = 1_000


def common_shape(values: Any, size: tuple[int, int] | None, channels: int | None, where: str) -> Shape:
    """The (h, w, ch) for a pyarrow column of images: what is asked for, else that of the first ones.

    Raises `DataError` where none of them can be read, and where a size isn't asked for and theirs differ.
    """
    shapes = _shapes(values, where)
    sizes = sorted({shape[:2] for shape in shapes})
    if size is None and len(sizes) > 1:
        raise DataError(
            "the images of a column have one size",
            received=" and ".join(f"{h} x {w}" for h, w in (sizes[0], sizes[-1])),
            where=where,
            remedy=f"set features.image.size: [{sizes[-1][0]}, {sizes[-1][1]}]",
        )
    h, w = size or sizes[0]
    return h, w, channels or max(found for *_, found in shapes)


def _shapes(values: Any, where: str) -> list[Shape]:
    """Shapes of the first images, at least one: those whose first bytes can be read."""
    if is_tensor(values.type):
        return [shape_of(values.type)]
    shapes, reason = [], "none but missing ones"
    for content in values.drop_null().slice(0, _NUM_LOOKED_AT).to_pylist():
        try:
            shapes.append(read_shape(content))
        except ImageError as error:
            reason = str(error)
    if not shapes:
        raise DataError(
            "a column of bytes holds encoded images, such as PNG or JPEG",
            received=reason,
            where=where,
            remedy="name it in data.exclude, or convert it",
        )
    return shapes
