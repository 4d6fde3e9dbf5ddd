"""Fitting a `FeaturePipeline` from the training split's summary. It never sees a row, so it knows nothing of Ray."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from distml.clean import Finding, RowCleaner
from distml.config.features import CategoricalConfig, ColumnFeatureConfig, FeaturesConfig, NumericConfig
from distml.errors import DataError, did_you_mean
from distml.features.pipeline import FeaturePipeline
from distml.features.transforms import (
    CategoricalTransform,
    NumericTransform,
    QuantileScale,
    Scaling,
    StandardScale,
)
from distml.schema import Column
from distml.summary import ColumnSummary, TableSummary, as_numbers

Recipe = Literal["dense", "trees"]


@dataclass(frozen=True)
class FittedFeatures:
    """A pipeline and what fitting it left out."""

    pipeline: FeaturePipeline
    findings: tuple[Finding, ...]


def fit_features(recipe: Recipe, cleaner: RowCleaner, summary: TableSummary, config: FeaturesConfig) -> FittedFeatures:
    """A pipeline of the recipe: `dense` is imputed and scaled as configured, `trees` keeps NaN and raw values.

    A feature without two distinct values in the training split can't tell rows apart: it is left out, as a finding.
    Raises `DataError` for a column that the config names and that is no feature.
    """
    _check_names([column.name for column in cleaner.schema.features], config)
    fitters: dict[Recipe, Callable[[Column, TableSummary, FeaturesConfig], NumericTransform]] = {
        "dense": _dense,
        "trees": lambda column, summary, config: NumericTransform(column=column.name),
    }
    numeric: list[NumericTransform] = []
    categorical: list[CategoricalTransform] = []
    findings: list[Finding] = []
    for column in cleaner.schema.features:
        known = summary.columns[column.name]
        if known.distinct + (known.nulls > 0) < 2:
            findings.append(
                Finding(
                    rule="a feature takes at least two values in the training rows",
                    column=column.name,
                    count=known.count,
                    action="ignore",
                )
            )
        elif known.is_number:
            numeric.append(fitters[recipe](column, summary, config))
        else:
            exception = config.columns.get(column.name) or ColumnFeatureConfig()
            found = _vocabulary(column.name, known, config.categorical, exception)
            findings += found[1]
            categorical.append(found[0])
    pipeline = FeaturePipeline(recipe=recipe, cleaner=cleaner, numeric=tuple(numeric), categorical=tuple(categorical))
    return FittedFeatures(pipeline, tuple(findings))


def _check_names(features: list[str], config: FeaturesConfig) -> None:
    for name in config.columns:
        if name not in features:
            near = did_you_mean(name, features)
            raise DataError(
                "features.columns names a feature of the table",
                received=name,
                remedy=f"did you mean {near!r}?" if near else f"features: {', '.join(features[:40])}",
            )


def _dense(column: Column, summary: TableSummary, config: FeaturesConfig) -> NumericTransform:
    exception = config.columns.get(column.name) or ColumnFeatureConfig()
    known = summary.columns[column.name]
    impute = exception.impute or config.numeric.impute
    fill = known.mean if impute == "mean" else float(summary.quantiles(column.name, [0.5])[0])
    return NumericTransform(
        column=column.name,
        # A network can't take NaN, and a column without gaps in training may have them in serving.
        fill=fill if np.isfinite(fill) else 0.0,
        scaling=_scaling(column.name, exception.scale or config.numeric.scale, known, summary),
        indicator=_wants_indicator(config.numeric, known),
    )


def _wants_indicator(config: NumericConfig, known: ColumnSummary) -> bool:
    return config.indicator and known.nulls > 0


def _scaling(name: str, scale: str, known: ColumnSummary, summary: TableSummary) -> Scaling:
    if scale == "quantile":
        values = as_numbers(summary.sample.column(name).combine_chunks().drop_null())
        if len(np.unique(values)) >= 2:
            return QuantileScale.from_sample(values)
    if scale == "none" or known.variance == 0:
        return None
    return StandardScale(center=known.mean, scale=float(np.sqrt(known.variance)))


def _vocabulary(
    name: str, known: ColumnSummary, config: CategoricalConfig, exception: ColumnFeatureConfig
) -> tuple[CategoricalTransform, list[Finding]]:
    """The categories frequent enough, most frequent first, ties by text."""
    if known.categories is None:
        finding = Finding(
            rule="a categorical feature has at most 100,000 distinct values",
            column=name,
            count=known.distinct,
            action="ignore",
            remedy="exclude it, or declare another kind in data.kinds",
        )
        return CategoricalTransform(column=name, vocabulary=()), [finding]
    min_count = exception.min_count or config.min_count
    ranked = sorted(known.categories.items(), key=lambda item: (-item[1], item[0]))
    vocabulary = tuple(value for value, count in ranked if count >= min_count)[: config.max_categories]
    rare = ranked[len(vocabulary) :]
    findings = []
    if rare:
        findings.append(
            Finding(
                rule=f"a category has at least {min_count} training rows",
                column=name,
                count=sum(count for _, count in rare),
                action="replace",
                remedy="rarer ones are coded as unknown",
            )
        )
    return CategoricalTransform(column=name, vocabulary=vocabulary), findings
