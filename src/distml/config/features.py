"""The section `features`: how columns become numbers."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from distml.config.base import Section
from distml.config.derived import DerivedConfig

Impute = Literal["median", "mean"]
Scale = Literal["standard", "quantile", "none"]


class NumericConfig(Section):
    """Numeric columns, for families that want them imputed and scaled."""

    impute: Impute = "median"
    indicator: bool = Field(True, description="add a 0/1 column where a column has missing values")
    scale: Scale = "quantile"


class CategoricalConfig(Section):
    """Categorical columns, encoded as integer codes for embeddings or native categories."""

    encode: Literal["embed"] = "embed"
    min_count: int = Field(5, ge=1, description="rarer categories are coded as unknown")
    max_categories: int = Field(10_000, ge=1, description="the most frequent ones are kept")


class ColumnFeatureConfig(Section):
    """Exceptions for one column; null keeps the general setting."""

    impute: Impute | None = None
    scale: Scale | None = None
    min_count: int | None = Field(None, ge=1)


class FeaturesConfig(DerivedConfig):
    """How columns become numbers."""

    numeric: NumericConfig = NumericConfig()
    categorical: CategoricalConfig = CategoricalConfig()
    columns: dict[str, ColumnFeatureConfig] = Field({}, description="column: exceptions")
