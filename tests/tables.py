"""Small seeded raw tables with every kind of column, and what is fitted from them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from distml.clean import RowCleaner
from distml.config import CleanConfig, DataConfig, SourceConfig
from distml.config.sections import FeaturesConfig
from distml.features import FeaturePipeline, Recipe, fit_features
from distml.hashing import row_hashes
from distml.schema import Column, Schema, infer_schema
from distml.summary import TableSummary


def raw_table(n: int = 200, seed: int = 0) -> pa.Table:
    """n rows: numbers with gaps, whole numbers, texts with gaps, truth values, dates, and a class `y` to learn."""
    rng = np.random.default_rng(seed)
    size, count = rng.normal(size=n), rng.poisson(3, n)
    color = rng.choice(["red", "green", "blue"], n, p=[0.5, 0.3, 0.2])
    signal = size + (color == "red") - (count > 3) + 0.3 * rng.normal(size=n)
    start = datetime(2024, 1, 1)
    return pa.table(
        {
            "size": pa.array(size, mask=rng.random(n) < 0.1),
            "count": pa.array(count),
            "color": pa.array(color.tolist(), mask=rng.random(n) < 0.1),
            "flag": pa.array(rng.random(n) < 0.4),
            "at": pa.array([start + timedelta(hours=int(hours)) for hours in rng.integers(0, 9000, n)]),
            "y": pa.array(np.where(signal > 0, "yes", "no").tolist()),
            "value": pa.array(3 * signal + 10),
        }
    )


def data_config(target: str = "y", **values: Any) -> DataConfig:
    return DataConfig.model_validate({"source": {"uri": "memory"}, "target": target, **values})


def cleaner_of(table: pa.Table, clean: dict[str, Any] | None = None, **data: Any) -> RowCleaner:
    """The cleaner that preparation would make of a raw table."""
    config = data_config(**data)
    return RowCleaner.from_config(infer_schema(table, config), config.source, CleanConfig.model_validate(clean or {}))


def column_cleaner(
    kind: str,
    *,
    dtype: str = "string",
    private: bool = False,
    clean: dict[str, Any] | None = None,
    missing: tuple[str, ...] = ("",),
) -> RowCleaner:
    """A cleaner of one feature `x`."""
    column = Column(name="x", kind=kind, dtype=dtype, private=private)
    source = SourceConfig(uri="memory", missing=missing)
    return RowCleaner.from_config(Schema((column,)), source, CleanConfig.model_validate(clean or {}))


def summary_of(cleaner: RowCleaner, table: pa.Table, sample_size: int = 1000) -> TableSummary:
    """The summary of a raw table's cleaned rows."""
    cleaned = cleaner.apply(table).table
    summary = TableSummary({column.name: column.kind for column in cleaner.schema.kept}, sample_size=sample_size)
    summary.update(cleaned, row_hashes(cleaned))
    return summary


def pipeline_of(
    recipe: Recipe, table: pa.Table, features: dict[str, Any] | None = None, **data: Any
) -> FeaturePipeline:
    """A pipeline fitted on a raw table."""
    cleaner = cleaner_of(table, **data)
    config = FeaturesConfig.model_validate(features or {})
    return fit_features(recipe, cleaner, summary_of(cleaner, table), config).pipeline
