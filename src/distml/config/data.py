"""The section `data`: the tables, the target and what the columns are."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from distml.config.base import Kind, Names, ResourcesConfig, Scalar, Section, one_or_many
from distml.config.source import SourceConfig, written_like


class RolesConfig(Section):
    """What columns are for, other than being features."""

    id: Names = Field((), description="columns that identify a row: kept, never features")
    time: str | None = Field(None, description="the column that says when a row happened: kept, never a feature")
    group: Names = Field((), description="columns that results are broken down by; they stay features")
    weight: str | None = Field(None, description="the column with each row's weight in training")
    split: str | None = Field(None, description="the column that says which split a row is for; never a feature")

    @field_validator("id", "group", mode="before")
    @classmethod
    def _none_is_empty(cls, value: Any) -> Any:
        return () if value is None else value


class DataConfig(Section):
    """The tables, the target and what the columns are."""

    source: SourceConfig
    test: SourceConfig | None = Field(None, description="a test table of its own; null: split.test of the source")
    target: str = Field(description="the column to predict")
    task: Literal["auto", "binary", "multiclass", "regression"] = Field(
        "auto", description="auto: classes for texts, truth values and few whole numbers, else regression"
    )
    positive: Scalar | None = Field(None, description="the class of a binary target that scores are about")
    roles: RolesConfig = RolesConfig()
    kinds: dict[str, Kind] = Field({}, description="kinds of columns, where they are not to be inferred")
    exclude: Names = Field((), description="columns left out")
    engine: Literal["auto", "local", "ray"] = Field(
        "auto", description="where the table is prepared; auto: in one process where it is small, else over Ray Data"
    )
    resources: ResourcesConfig = Field(
        ResourcesConfig(), description="what reading and encoding a piece of the table reserves on the cluster"
    )
    private: Names = Field(
        (), description="columns never in golden rows, samples, logs or reports; their vocabulary is part of a model"
    )

    @model_validator(mode="after")
    def _target_is_not_excluded(self) -> DataConfig:
        roles = (*self.roles.id, self.roles.time, self.roles.weight, self.roles.split, *self.exclude)
        if self.target in roles:
            raise ValueError(
                f"the target {self.target!r} can't also be excluded, an id, the time, the weight or the split"
            )
        return self

    @model_validator(mode="after")
    def _kind_of_the_target_suits_the_task(self) -> DataConfig:
        kind = self.kinds.get(self.target)
        classes = ("auto", "binary", "multiclass")
        tasks = {"numeric": ("auto", "regression"), "categorical": classes, "boolean": classes, "datetime": ()}
        if kind is not None and self.task not in tasks.get(kind, ()):
            raise ValueError(f"a target of kind {kind} can't be for task {self.task}: leave it out of `kinds`")
        return self

    @model_validator(mode="before")
    @classmethod
    def _path_of_an_image_is_its_id(cls, value: Any) -> Any:
        """In a folder of images `path` says which one a row is, and its folder gives the class away."""
        source = value.get("source") if isinstance(value, dict) else None
        kind = source.get("format") if isinstance(source, dict) else getattr(source, "format", None)
        roles = (value.get("roles") or {}) if isinstance(value, dict) else None
        if kind != "images" or not isinstance(roles, dict) or "path" in (value.get("exclude") or ()):
            return value
        ids = one_or_many(roles.get("id")) or ()
        return {**value, "roles": {**roles, "id": list(dict.fromkeys([*ids, "path"]))}}

    @model_validator(mode="before")
    @classmethod
    def _test_inherits_dialect(cls, value: Any) -> Any:
        """A test table is written like its source unless it says otherwise."""
        if isinstance(value, dict) and isinstance(value.get("test"), dict):
            return {**value, "test": written_like(value.get("source"), value["test"])}
        return value
