"""Small seeded raw tables with every kind of column, and what is fitted from them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from distml.batch import FeatureBatch
from distml.clean import RowCleaner
from distml.config import CleanConfig, DataConfig, SourceConfig
from distml.config.features import FeaturesConfig
from distml.config.train import TrainConfig
from distml.features import FeaturePipeline, Recipe, empty_target_counts, fit_features
from distml.hashing import row_hashes
from distml.metrics import metric_for
from distml.models import FAMILIES, ModelSpec
from distml.package import Baseline, Member, ModelPackage
from distml.postprocess import Postprocess
from distml.predictor import with_golden
from distml.schema import Column, Schema, infer_schema
from distml.summary import ByTarget, TableSummary
from distml.target import fit_target
from distml.training import FitSettings, fit
from distml.window import summarise_predictions


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


def summary_of(
    cleaner: RowCleaner, table: pa.Table, sample_size: int = 1000, by_target: ByTarget | None = None
) -> TableSummary:
    """The summary of a raw table's cleaned rows."""
    cleaned = cleaner.apply(table).table
    kinds = {column.name: column.kind for column in cleaner.schema.kept}
    summary = TableSummary(kinds, sample_size=sample_size, by_target=by_target)
    summary.update(cleaned, row_hashes(cleaned))
    return summary


def pipeline_of(
    recipe: Recipe, table: pa.Table, features: dict[str, Any] | None = None, **data: Any
) -> FeaturePipeline:
    """A pipeline fitted on a raw table."""
    cleaner = cleaner_of(table, **data)
    config = FeaturesConfig.model_validate(features or {})
    return fit_features(recipe, cleaner, summary_of(cleaner, table), config).pipeline


def target_encoded(
    recipe: Recipe, table: pa.Table, features: dict[str, Any] | None = None, **data: Any
) -> FeaturePipeline:
    """A pipeline fitted on a raw table, its categories encoded by the target."""
    cleaner = cleaner_of(table, **data)
    config = FeaturesConfig.model_validate({"categorical": {"encode": "target"}, **(features or {})})
    by_target = ByTarget(target=cleaner.schema.target.name, counts=empty_target_counts(cleaner.schema, config))
    summary = summary_of(cleaner, table, by_target=by_target)
    fitted_target = fit_target(cleaner.schema, summary, data_config(**data))
    return fit_features(recipe, cleaner, summary, config, target=fitted_target).pipeline


def package_of(family: str, target: str = "y", *, clean: dict[str, Any] | None = None, **data: Any) -> ModelPackage:
    """A package fitted on the raw table, with golden rows; `y` makes it binary, `value` a regression."""
    config = data_config(target, **data)
    table = raw_table()
    cleaner = cleaner_of(table, clean, target=target, **data)
    summary = summary_of(cleaner, table)
    fitted_target = fit_target(cleaner.schema, summary, config)
    pipeline = fit_features(FAMILIES[family].recipe, cleaner, summary, FeaturesConfig()).pipeline
    cleaned = cleaner.apply(table).table
    spec = ModelSpec(
        family=family,
        params=FAMILIES[family].complete({}),
        input=pipeline.input_spec(fitted_target.num_outputs),
        task=fitted_target.task,
    )
    metric = metric_for("auto", fitted_target.task)
    settings = FitSettings(config=TrainConfig(max_epochs=5))
    model = fit(spec, pipeline.encode(cleaned, target=fitted_target), None, metric, settings).model
    postprocess = Postprocess(weights=(1.0,), target=fitted_target)
    prediction = postprocess([model.predict(pipeline.encode(cleaned))])
    package = ModelPackage(
        name="demo",
        schema=cleaner.schema,
        members=(Member(model=model, pipeline=pipeline),),
        postprocess=postprocess,
        baseline=Baseline(inputs=summary, predictions=summarise_predictions(prediction)),
        metrics={"validation": {metric.name: 0.75}},
        lineage={"seed": 0, "num_rows": {"train": 200}},
    )
    return with_golden(package, cleaned)


def assert_same(a: FeatureBatch, b: FeatureBatch) -> None:
    """Two batches are the same bit for bit."""
    assert list(a.arrays()) == list(b.arrays())
    for name, array in a.arrays().items():
        assert array.dtype == b.arrays()[name].dtype
        assert array.tobytes() == b.arrays()[name].tobytes(), name
