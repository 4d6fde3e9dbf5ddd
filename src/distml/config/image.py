"""The section `features.image`: how images become tensors."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from distml.config.base import Section

Side = Annotated[int, Field(ge=1, le=8192)]


class ImageConfig(Section):
    """Image columns: encoded files (PNG, JPEG) or tensors of pixels."""

    size: tuple[Side, Side] | None = Field(
        None, description="height and width that images are resized to; null: their own, if all are alike"
    )
    channels: Literal[1, 3] | None = Field(
        None, description="1 grey, 3 colours; null: colours if one of the first images has them"
    )
    max_tree_numbers: int = Field(
        256, ge=3, description="trees take pixels as numbers: of images shrunk to at most so many"
    )
