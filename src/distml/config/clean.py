"""The section `clean`: repairs of rows."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from distml.config.base import Action, Names, Scalar, Section


class RuleConfig(Section):
    """What values of a column are possible, and what happens to the others."""

    min: float | None = Field(None, description="the least possible number; of dates in seconds since 1970")
    max: float | None = Field(None, description="the largest possible number; of dates in seconds since 1970")
    allowed: tuple[Scalar, ...] | None = Field(None, description="the only possible values")
    on_violation: Action | None = Field(
        "fail", description="what becomes of a row or value; quarantine: a side file, with the reason"
    )

    @field_validator("on_violation", mode="before")
    @classmethod
    def _yaml_null_is_null(cls, value: Any) -> Any:
        return "null" if value is None else value  # `on_violation: null` reads as None in YAML

    @model_validator(mode="after")
    def _has_a_bound(self) -> RuleConfig:
        if self.min is None and self.max is None and self.allowed is None:
            raise ValueError("a rule needs `min`, `max` or `allowed`")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"`min` {self.min} is above `max` {self.max}")
        if self.on_violation == "clip" and self.allowed is not None:
            raise ValueError("`clip` needs `min` or `max`; values outside `allowed` have no nearest one")
        return self


class CleanConfig(Section):
    """Row-wise repairs, the same ones in preparation and serving."""

    duplicates: Literal["drop", "keep", "fail"] = Field("drop", description="exact repeats of a whole row")
    duplicates_by: Names = Field(
        (),
        description="columns that name a row: others of the same values are duplicates too. Kept is the latest by "
        "data.roles.time, else one that its content chooses; a row with a missing value among them has no other",
    )
    images: Literal["fail", "quarantine", "drop", "null"] = Field(
        "fail", description="rows with an image that can't be read or has another size than the others"
    )
    strip: bool = Field(True, description="strip white space around texts")
    replace: dict[str, dict[Scalar, Scalar | None]] = Field({}, description="column: {old value: new value}")
    rules: dict[str, RuleConfig] = Field({}, description="column: what its values may be")

    @field_validator("images", mode="before")
    @classmethod
    def _yaml_null_is_null(cls, value: Any) -> Any:
        return "null" if value is None else value
