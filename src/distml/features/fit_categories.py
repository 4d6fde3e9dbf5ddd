"""Fitting what becomes of categorical, boolean and text columns, from the training rows' summary."""

from __future__ import annotations

import numpy as np

from distml.clean import Finding, as_text
from distml.config.features import CategoricalConfig, TextConfig
from distml.errors import DataError
from distml.features.categories import (
    CategoricalTransform,
    CountTransform,
    HashTransform,
    OneHotTransform,
    TruthTransform,
)
from distml.features.target_encoding import fit_target_encoding
from distml.features.text import TextTransform
from distml.features.transforms import Transform
from distml.summary import MAX_CATEGORIES, ColumnSummary, TableSummary
from distml.target import ClassTarget, Target

MAX_ONEHOT = 1_000


def fit_category(
    name: str, summary: TableSummary, config: CategoricalConfig, findings: list[Finding], *,
    native: bool, target: Target | None, seed: int,
) -> Transform | None:  # fmt: skip
    """A categorical or boolean column, encoded as configured; None where it has too many categories for that.

    `native`: for a model that takes categories as they are, so 0/1 columns are codes as well, and numbers unscaled.
    """
    known = summary.columns[name]
    encode = "embed" if native and config.encode == "onehot" else config.encode
    if encode == "hash":
        return HashTransform(column=name, num_buckets=config.num_buckets)
    if encode == "onehot" and known.kind == "boolean":
        return TruthTransform(column=name, indicator=known.nulls > 0)
    if known.categories is None:
        findings.append(_too_many(name, known))
        return CategoricalTransform(column=name, vocabulary=()) if encode == "embed" else None
    vocabulary, num_rare = _vocabulary(name, known, config, findings)
    if encode == "onehot":
        _check_width(name, vocabulary)
        return OneHotTransform(
            column=name, vocabulary=vocabulary, has_missing=known.nulls > 0, has_other=num_rare > 0
        )  # fmt: skip
    if encode == "count":
        return _counts(name, known, vocabulary, num_rare, scaled=not native)
    if encode == "target":
        return _target(name, summary, vocabulary, config, target, seed, scaled=not native)
    return CategoricalTransform(column=name, vocabulary=vocabulary)


def fit_text(name: str, known: ColumnSummary, config: TextConfig) -> TextTransform:
    shortest, longest = config.ngrams
    return TextTransform(
        column=name, tokens=config.tokens, shortest=shortest, longest=longest, num_buckets=config.num_buckets,
        indicator=known.nulls > 0,
    )  # fmt: skip


def _too_many(name: str, known: ColumnSummary) -> Finding:
    return Finding(
        rule=f"a categorical feature has at most {MAX_CATEGORIES:,} distinct values",
        column=name,
        count=known.distinct,
        action="ignore",
        remedy=f"exclude it, set features.columns.{name}.encode: hash, or declare data.kinds.{name}: text",
    )


def _vocabulary(
    name: str, known: ColumnSummary, config: CategoricalConfig, findings: list[Finding]
) -> tuple[tuple[str, ...], int]:
    """The categories frequent enough, most frequent first, ties by text; and how many rows have others."""
    assert known.categories is not None
    ranked = sorted(known.categories.items(), key=lambda item: (-item[1], item[0]))
    frequent = [value for value, count in ranked if count >= config.min_count]
    vocabulary = tuple(frequent[: config.max_categories])
    rare = sum(count for _, count in ranked[len(frequent) :])
    beyond = sum(count for _, count in ranked[len(vocabulary) : len(frequent)])
    for rule, count in (
        (f"a category has at least {config.min_count} training rows", rare),
        (f"a feature has at most {config.max_categories:,} categories", beyond),
    ):
        if count:
            findings.append(
                Finding(rule=rule, column=name, count=count, action="replace", remedy="others are taken as unknown")
            )
    return vocabulary, rare + beyond


def _check_width(name: str, vocabulary: tuple[str, ...]) -> None:
    if len(vocabulary) > MAX_ONEHOT:
        raise DataError(
            f"encode: onehot makes at most {MAX_ONEHOT:,} columns",
            received=f"{len(vocabulary):,} categories",
            where=f"column {name}",
            remedy=f"set features.columns.{name}.max_categories, or encode: embed, target or hash",
        )


def _counts(
    name: str, known: ColumnSummary, vocabulary: tuple[str, ...], num_rare: int, *, scaled: bool
) -> CountTransform:
    assert known.categories is not None
    counts = (known.nulls, *(known.categories[value] for value in vocabulary))
    center, scale = 0.0, None
    if scaled:
        values, weights = np.log1p([*counts, 0]), np.array([*counts, num_rare]) / known.count
        center = float(weights @ values)
        scale = float(np.sqrt(weights @ np.square(values - center))) or 1.0
    return CountTransform(column=name, vocabulary=vocabulary, counts=counts, center=center, scale=scale)


def _target(
    name: str, summary: TableSummary, vocabulary: tuple[str, ...], config: CategoricalConfig, target: Target | None,
    seed: int, *, scaled: bool,
) -> Transform:  # fmt: skip
    counts = summary.by_target.get(name)
    assert counts is not None and target is not None, f"target encoding of {name} needs its counts by target"
    assert counts.num_folds == config.folds, "counts of other folds"
    labels = [as_text(label) for label in target.labels] if isinstance(target, ClassTarget) else None
    return fit_target_encoding(
        name, vocabulary, counts, labels, smoothing=config.smoothing, seed=seed, scaled=scaled
    )  # fmt: skip
