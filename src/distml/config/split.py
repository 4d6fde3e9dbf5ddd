"""The section `split`: how rows are dealt to train, validation and test."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from distml.config.base import Section


class SplitConfig(Section):
    """How rows are dealt to train, validation and test: by a hash of their content, so always the same way."""

    kind: Literal["auto", "random", "stratified"] = Field("auto", description="auto: stratified for classes")
    validation: float = Field(0.15, gt=0, lt=1)
    test: float = Field(0.15, ge=0, lt=1, description="not used where data.test names a table")

    @model_validator(mode="after")
    def _leaves_rows_to_train_on(self) -> SplitConfig:
        if self.validation + self.test >= 1:
            raise ValueError(f"validation {self.validation} and test {self.test} leave nothing to train on")
        return self
