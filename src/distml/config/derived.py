"""The part of the section `features` that makes columns from other columns."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from distml.config.base import Names, Section


class FunctionConfig(Section):
    """A column that a function of the user's own makes. It is imported only where --allow-code names its package."""

    function: str = Field(
        description="module:attribute; called with the columns as pyarrow arrays [n], gives an array [n]. A row's value"
        " may depend on that row alone",
        pattern=r"^[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*$",
    )
    columns: Names = Field(description="what it is called with, in order: columns of the table or derived ones")
    kind: Literal["numeric", "categorical", "boolean", "datetime"] = Field("numeric", description="what it makes")

    @model_validator(mode="after")
    def _uses_a_column(self) -> FunctionConfig:
        if not self.columns:
            raise ValueError("`columns` names at least one column")
        return self


class DerivedConfig(Section):
    """Columns made from other columns of the same row, the same way in preparation, batch scoring and over HTTP."""

    derived: dict[str, str] = Field(
        {},
        description="new column: an expression over cleaned columns, such as total_rooms / households, floor(age / 10),"
        " cross(sex, race), weekday(when) >= 5; a missing operand, or a division by zero, makes it missing",
    )
    functions: dict[str, FunctionConfig] = Field({}, description="new column: a function of your own that makes it")

    @model_validator(mode="after")
    def _each_column_is_made_once(self) -> DerivedConfig:
        both = sorted(set(self.derived) & set(self.functions))
        if both:
            raise ValueError(f"a column is made by `derived` or by `functions`, not both: {', '.join(both)}")
        return self
