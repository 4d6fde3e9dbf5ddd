"""The section `train`: how one model is fitted."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from distml.config.base import Section


class TrainConfig(Section):
    """One fit."""

    max_epochs: int = Field(100, ge=1, description="for trees an epoch is 20 boosting rounds")
    patience: int = Field(16, ge=1, description="epochs without a better validation score before a fit ends")
    batch_size: int | Literal["auto"] = Field("auto", description="auto: by the number of rows")
    device: Literal["auto", "cpu", "cuda"] = "auto"
    checkpoint_interval_s: float = Field(5, ge=0, description="how much of a network's fit a crash costs at most")
    refit: Literal["none", "train+validation"] = Field(
        "train+validation",
        description="rows that the winner is fitted on once more, for its best number of epochs",
    )
