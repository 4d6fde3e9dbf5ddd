"""The section `split`: how rows are dealt to train, validation and test."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field, model_validator

from distml.config.base import Names, Section


class SplitValuesConfig(Section):
    """What the column `data.roles.split` says of a row of each split."""

    train: Names = Field(("train", "training"), description="values of training rows")
    validation: Names = Field(("validation", "valid", "val", "dev"), description="values of validation rows")
    test: Names = Field(("test",), description="values of test rows")
    missing: Literal["train", "validation", "test"] | None = Field(
        None, description="the split of rows without a value; null: they are refused"
    )

    @model_validator(mode="after")
    def _each_once(self) -> SplitValuesConfig:
        values = (*self.train, *self.validation, *self.test)
        if len(set(values)) < len(values):
            raise ValueError("a value stands for one split")
        return self

    @property
    def by_value(self) -> Mapping[str, Literal["train", "validation", "test"]]:
        """Value -> split."""
        return {
            **dict.fromkeys(self.train, "train"),
            **dict.fromkeys(self.validation, "validation"),
            **dict.fromkeys(self.test, "test"),
        }


class SplitConfig(Section):
    """How rows are dealt to train, validation and test: by their content, so always the same way.

    `random` and `stratified` go by a hash of the row, `group` by a hash of `column`, `time` takes the latest rows for
    test and those before for validation, `predefined` goes by the column `data.roles.split`.
    """

    kind: Literal["auto", "random", "stratified", "group", "time", "predefined"] = Field(
        "auto", description="auto: predefined where data.roles.split names a column, else stratified for classes"
    )
    column: str | None = Field(
        None, description="for group: rows with one value of it stay together. For time: null is data.roles.time"
    )
    values: SplitValuesConfig = SplitValuesConfig()
    validation: float = Field(0.15, gt=0, lt=1, description="share of the rows that trials are scored on")
    test: float = Field(
        0.15,
        ge=0,
        lt=1,
        description="share of the rows that the winner is judged on; not used where data.test names a table",
    )
    folds: int | None = Field(
        None, ge=2, le=100, description="folds that the rows which aren't test rows are dealt to as well"
    )
    inherit: str | None = Field(
        None,
        description="NAME/VERSION whose recorded cuts deal the rows, so that its test rows stay test rows; "
        "a retraining sets it",
        pattern=r"^[a-z0-9][a-z0-9_-]*/\d+$",
    )

    @model_validator(mode="after")
    def _leaves_rows_to_train_on(self) -> SplitConfig:
        if self.validation + self.test >= 1:
            raise ValueError(f"validation {self.validation} and test {self.test} leave nothing to train on")
        return self

    @model_validator(mode="after")
    def _column_suits_the_kind(self) -> SplitConfig:
        if self.kind == "group" and self.column is None:
            raise ValueError("a split by group needs `column`, whose values keep rows together")
        if self.column is not None and self.kind not in ("group", "time"):
            raise ValueError(f"`column` is for splits by group or time, not for {self.kind}")
        return self
