"""The section `augment`: how training rows are varied, batch by batch. Nothing else ever sees a varied row."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from distml.config.base import Section

Flip = Literal["none", "horizontal", "vertical", "both"]
_MIXUP = "rows are mixed in pairs, by a share drawn from Beta(mixup, mixup); 0.2 is usual"


class ImageAugmentConfig(Section):
    """Variations of images, each image by its own draw."""

    shift: int = Field(0, ge=0, description="pixels that an image is moved by at most, each way; zeros fill in")
    flip: Flip = Field("none", description="images that are mirrored, half of them each way")
    rotate_degrees: float = Field(0, ge=0, le=180, description="an image is turned by at most so much, either way")
    cutout: int = Field(0, ge=0, description="side of a square, in pixels, that the training mean replaces")
    mixup: float = Field(0, ge=0, allow_inf_nan=False, description=_MIXUP)


class TabularAugmentConfig(Section):
    """Variations of numbers and categories, as a network takes them: imputed, scaled, coded."""

    noise: float = Field(
        0, ge=0, allow_inf_nan=False, description="standard deviation of what is added, in units of the scaled feature"
    )
    feature_dropout: float = Field(
        0, ge=0, lt=1, description="share of values that the training mean or the unknown category replaces"
    )
    mixup: float = Field(0, ge=0, allow_inf_nan=False, description=_MIXUP)


class AugmentConfig(Section):
    """How the networks' training rows are varied; trees are fitted on the rows as they are. Off by default."""

    image: ImageAugmentConfig = ImageAugmentConfig()
    tabular: TabularAugmentConfig = TabularAugmentConfig()

    @model_validator(mode="after")
    def _rows_are_mixed_as_a_whole(self) -> AugmentConfig:
        image, tabular = self.image.mixup, self.tabular.mixup
        if image and tabular and image != tabular:
            raise ValueError(
                f"a row is mixed as a whole: image.mixup {image} and tabular.mixup {tabular} are one number"
            )
        return self

    @property
    def mixup(self) -> float:
        """The rows' own, whichever section names it."""
        return self.image.mixup or self.tabular.mixup

    @property
    def is_on(self) -> bool:
        return self != AugmentConfig()
