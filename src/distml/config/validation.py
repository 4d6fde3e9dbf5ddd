"""The section `validate`: what a table must satisfy before anything is trained on it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator

from distml.config.base import Section, one_or_many

Reaction = Literal["warn", "fail"]


class OutliersConfig(Section):
    """Which numbers are too far from the others of their column."""

    method: Literal["tail", "robust_z", "iqr"] = Field(
        "tail",
        description="tail: beyond a gap that the column's own tail doesn't explain, however heavy it is; robust_z: by "
        "deviations from the median; iqr: by the distance of the quartiles",
    )
    threshold: float | None = Field(
        None, gt=0, description="so many deviations (robust_z; null: 3.5) or distances (iqr; null: 3) are too far"
    )
    action: Reaction = "warn"


class ImbalanceConfig(Section):
    """When classes are too unequal."""

    threshold: float = Field(
        0.2,
        ge=0,
        le=1,
        description="the smaller of two classes has at least this share of the rows; of k, 2/k of it",
    )
    action: Reaction = "warn"


class DriftConfig(Section):
    """When two parts of the data are too different: training and test rows, or a table's beginning and its end."""

    # By the usual reading of the index, 0.1 is "some shift" (Siddiqi 2006).
    min_psi: float = Field(
        0.1, ge=0, description="from this population stability index on, a significant difference is drift"
    )
    action: Reaction = "warn"


class ValidateConfig(Section):
    """What a table must satisfy before anything is trained on it. Each rule warns or fails: `distml validate` checks
    them all, a run those that fail or drop."""

    max_missing: float = Field(0.95, ge=0, le=1, description="a feature with a larger share missing is a finding")
    missing: Reaction = Field("warn", description="what happens past max_missing")
    overlap: Literal["warn", "drop", "fail"] = Field(
        "drop",
        description="rows of the source that equal a row of the test table: reported, dropped, or refused",
    )
    leakage: Literal["warn", "drop", "fail"] = Field(
        "warn", description="columns that alone tell the target almost perfectly, or make it up: drop leaves them out"
    )
    tokens: Reaction = Field("warn", description="missing tokens such as ?, and codes such as 999, not declared")
    types: Reaction = Field("warn", description="numbers read as categories, texts read in a wrong encoding")
    impossible: Reaction = Field("warn", description="negative amounts, an end before its beginning")
    spelling: Reaction = Field("warn", description="one category written in several ways")
    constant: Reaction = Field("warn", description="columns of one value in all rows or nearly all")
    ids: Reaction = Field("warn", description="features that name rows")
    rare: Reaction = Field("warn", description="categories of hardly any row")
    unique: tuple[tuple[str, ...], ...] = Field((), description="columns, or lists of them, that together name a row")
    keys: Reaction = Field("warn", description="a value of data.roles.id or of `unique` that stands in two rows")
    layout: Reaction = Field("warn", description="files, or train and test tables, of other columns or categories")
    stretches: Reaction = Field("warn", description="stretches of a table where a column is missing or stands still")
    outliers: OutliersConfig = OutliersConfig()
    imbalance: ImbalanceConfig = ImbalanceConfig()
    drift: DriftConfig = DriftConfig()
    schema_file: str | None = Field(
        None, alias="schema", description="a schema written by `distml validate --write-schema`, to be kept to"
    )

    @field_validator("unique", mode="before")
    @classmethod
    def _one_column_is_a_key(cls, value: Any) -> Any:
        return tuple(one_or_many(key) for key in value) if isinstance(value, (list, tuple)) else value

    @field_validator("outliers", "imbalance", "drift", mode="before")
    @classmethod
    def _action_alone(cls, value: Any) -> Any:
        return {"action": value} if isinstance(value, str) else value
