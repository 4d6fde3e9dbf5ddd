"""Fitting a `FeaturePipeline` from the training split's summary. It never sees a row, so it knows nothing of Ray."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from distml.clean import Finding, RowCleaner
from distml.config.features import CategoricalConfig, DatetimeConfig, FeaturesConfig, NumericConfig, TextConfig
from distml.errors import DataError, did_you_mean
from distml.features.fit_categories import fit_category, fit_text
from distml.features.fit_numbers import fit_calendar, fit_number
from distml.features.image import ImageTransform, fit_image
from distml.features.numeric import NumericTransform
from distml.features.pipeline import FeaturePipeline
from distml.features.transforms import Transform
from distml.schema import Column, Schema
from distml.summary import TableSummary
from distml.target import Target
from distml.target_counts import TargetCounts

Recipe = Literal["dense", "trees"]
_OF_NUMBERS = {*NumericConfig.model_fields}
_OF_CATEGORIES = {*CategoricalConfig.model_fields}
_SETTINGS = {  # what features.columns may say of a column, by its kind
    "numeric": _OF_NUMBERS,
    "datetime": {*DatetimeConfig.model_fields} | _OF_NUMBERS,
    "categorical": _OF_CATEGORIES,
    "boolean": _OF_CATEGORIES,
    "text": {*TextConfig.model_fields},
}


@dataclass(frozen=True)
class FittedFeatures:
    """A pipeline and what fitting it left out."""

    pipeline: FeaturePipeline
    findings: tuple[Finding, ...]


def fit_features(
    recipe: Recipe,
    cleaner: RowCleaner,
    summary: TableSummary,
    config: FeaturesConfig,
    *,
    target: Target | None = None,
    seed: int = 0,
) -> FittedFeatures:
    """A pipeline of the recipe: `dense` is imputed and scaled as configured, `trees` keeps NaN and raw values.

    A feature without two distinct values in the training split can't tell rows apart: it is left out, as a finding.
    Target encoding needs `target` and `summary.by_target`, counted with `empty_target_counts` and folds of `seed`.
    Raises `DataError` for a column that the config names and that is no feature, and for a setting that does not go
    with its kind.
    """
    _check_columns({column.name: column for column in cleaner.schema.features}, config)
    transforms: list[Transform] = []
    tensors: list[ImageTransform] = []
    findings: list[Finding] = []
    for column in cleaner.schema.features:
        known = summary.columns[column.name]
        if known.distinct + (known.nulls > 0) < 2:
            rule = "a feature takes at least two values in the training rows"
            findings.append(Finding(rule=rule, column=column.name, count=known.count, action="ignore"))
        elif column.kind == "image":
            tensors.append(fit_image(column, known, config.image, is_dense=recipe == "dense"))
        else:
            transforms += _fit_column(recipe, column, summary, config, findings, target, seed)
    pipeline = FeaturePipeline(
        recipe=recipe,
        cleaner=cleaner,
        numeric=tuple(t for t in transforms if t.dtype is np.float32),
        categorical=tuple(t for t in transforms if t.dtype is np.int64),
        tensors=tuple(tensors),
    )
    return FittedFeatures(pipeline, tuple(findings))


def empty_target_counts(schema: Schema, config: FeaturesConfig) -> dict[str, TargetCounts]:
    """What a summary's `by_target` begins with: empty counts for each feature that is encoded by the target."""
    settings = {column.name: config.categorical_of(column.name) for column in schema.features
                if column.kind in ("categorical", "boolean")}  # fmt: skip
    return {name: TargetCounts(found.folds) for name, found in settings.items() if found.encode == "target"}


def _fit_column(
    recipe: Recipe, column: Column, summary: TableSummary, config: FeaturesConfig, findings: list[Finding],
    target: Target | None, seed: int,
) -> Sequence[Transform]:  # fmt: skip
    name, is_dense = column.name, recipe == "dense"
    if column.kind == "numeric":
        return [fit_number(name, summary, config.numeric_of(name), findings) if is_dense
                else NumericTransform(column=name)]  # fmt: skip
    if column.kind == "datetime":
        return _fit_datetime(is_dense, name, summary, config, findings)
    if column.kind == "text":
        return [fit_text(name, summary.columns[name], config.text_of(name))]
    settings = config.categorical_of(name)
    found = fit_category(name, summary, settings, findings, native=not is_dense, target=target, seed=seed)
    return [] if found is None else [found]


def _fit_datetime(
    is_dense: bool, name: str, summary: TableSummary, config: FeaturesConfig, findings: list[Finding]
) -> list[Transform]:
    numbers, parts = config.epoch_of(name), config.datetime_of(name)
    found: list[Transform] = []
    if parts.parts == "auto" or "epoch" in parts.parts:
        epoch = NumericTransform(column=name, suffix="_epoch")
        found.append(fit_number(name, summary, numbers, findings, "_epoch") if is_dense else epoch)
    has_gaps = summary.columns[name].nulls > 0
    indicator = is_dense and numbers.indicator and has_gaps and not found
    calendar = fit_calendar(name, summary, parts, findings, cyclic=is_dense, indicator=indicator)
    return found if calendar is None else [*found, calendar]


def _check_columns(features: dict[str, Column], config: FeaturesConfig) -> None:
    for name in config.columns:
        if name not in features:
            near = did_you_mean(name, list(features))
            raise DataError(
                "features.columns names a feature of the table",
                received=name,
                remedy=f"did you mean {near!r}?" if near else f"features: {', '.join([*features][:40])}",
            )
        kind = features[name].kind
        allowed = _SETTINGS.get(kind, set())
        for setting in config.set_for(name):
            if setting not in allowed:
                raise DataError(
                    f"a setting for a {kind} column is one of {', '.join(sorted(allowed)) or 'none'}",
                    received=setting,
                    where=f"features.columns.{name}",
                    remedy=f"leave it out, or declare another kind in data.kinds.{name}",
                )
