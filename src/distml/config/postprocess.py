"""The section `postprocess`: from a model's probabilities to what is told, fitted on held-out rows."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from distml.config.base import Section

CalibrationMethod = Literal["none", "temperature", "platt", "isotonic"]


class CostConfig(Section):
    """What a wrong decision costs; only their ratio matters."""

    false_positive: float = Field(1.0, ge=0, description="a negative row that is called positive")
    false_negative: float = Field(1.0, ge=0, description="a positive row that is called negative")


class ThresholdConfig(Section):
    """What the threshold of a binary decision is chosen for."""

    maximize: Literal["f1", "accuracy", "balanced_accuracy"] | None = Field(None, description="on held-out rows")
    cost: CostConfig | None = Field(None, description="the least cost of wrong decisions")
    min_precision: float | None = Field(None, gt=0, lt=1, description="the highest recall at this precision or more")

    @model_validator(mode="after")
    def _one_aim(self) -> ThresholdConfig:
        if sum(aim is not None for aim in (self.maximize, self.cost, self.min_precision)) != 1:
            raise ValueError("name one of maximize, cost and min_precision")
        return self


class PostprocessConfig(Section):
    """Calibration and threshold of class predictions."""

    calibration: CalibrationMethod = Field(
        "temperature",
        description="fitted on held-out predictions where it lowers their log loss; platt and isotonic are for two"
        " classes",
    )
    threshold: Annotated[float, Field(gt=0, lt=1)] | ThresholdConfig = Field(
        0.5, description="positive probability from which a binary prediction is positive, or what to choose it for"
    )
