"""What else an engineer would want to know of a table before training on it: oddities, said and not acted on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from distml.arrays import whole
from distml.hashing import row_hashes
from distml.inspection import signs
from distml.inspection.counts import NumberCounts, TextCounts
from distml.inspection.numbers import suspects_of as suspects_in_numbers
from distml.inspection.order import beyond_chance, told_by_tenth
from distml.inspection.remark import Remark, counted, shown
from distml.inspection.scores import score_columns
from distml.inspection.targets import Target, same_spelling
from distml.inspection.texts import suspects_of as suspects_in_texts
from distml.inspection.tokens import Tokens
from distml.reading.sample import Sample
from distml.schema import Column, Schema
from distml.summary import as_numbers
from distml.wording import numbered

MAX_MISSING = 0.95  # what `validate.max_missing` is unless told
_MOSTLY, _MANY_ROWS = 0.5, 100
_FEW_VALUES = 12
_SUSPECTED = frozenset(("impossible", "zeros", "outlier", "rare", "encoding"))
_MANY_CATEGORIES = 1000
_FEW_ROWS = 10  # of a class, or of one of few values


def are_cases(table: Any) -> bool:
    """Whether equal rows of a pyarrow table must be separate cases: most rows repeat one of many others."""
    distinct = len(np.unique(row_hashes(table)))
    return distinct >= _MANY_ROWS and distinct <= _MOSTLY * table.num_rows


def num_copies(table: Any) -> int:
    """Rows of a pyarrow table that repeat an earlier one."""
    return int(table.num_rows - len(np.unique(row_hashes(table))))


def remarks_on(
    sample: Sample, cleaned: Any, schema: Schema, features: frozenset[str], target: Target, tokens: Tokens
) -> Iterator[Remark]:
    """Remarks on a sample and its cleaned rows; `features` are the columns that a model will see."""
    if not np.array_equal(sample.position, np.zeros(sample.num_rows)):
        yield from _order(sample, cleaned, target)
    yield from _of_target(cleaned, target)
    copies = num_copies(sample.table)
    if copies and not are_cases(sample.table):
        yield Remark(
            None,
            f"rows that repeat another one exactly: {copies:,} ({copies / sample.num_rows:.1%}). Each is kept "
            "once; where equal rows are separate cases, keep them all",
            "clean: {duplicates: keep}",
        )
    for text, rows in tokens.doubtful.items():
        among = {name: count for name, count in rows.items() if name in features}
        if among:
            yield _doubtful(text, among)
    for column in schema.features:
        if column.name in features:
            yield from _of_feature(column.name, column.kind, column.dtype, whole(cleaned.column(column.name)))
            yield from _suspected(column, cleaned, len(features))
    yield from _few_values(cleaned, schema, features)


def _order(sample: Sample, cleaned: Any, target: Target) -> Iterator[Remark]:
    """Whether the target changes from the table's beginning to its end."""
    values = whole(cleaned.column(target.name))
    present = values.is_valid().to_numpy(zero_copy_only=False)
    position, wanted = sample.position[: len(present)][present], target.encode(values.drop_null())
    if len(wanted) < 200 or score_columns({"": position}, wanted, target.task)[0].skill < beyond_chance(target):
        return
    yield Remark(
        target.name,
        f"the target changes along the table ({told_by_tenth(position, wanted, target)}). Where its order is that of "
        "time, a split by chance shows the model its future, and scores come out too high",
    )


def _of_target(cleaned: Any, target: Target) -> Iterator[Remark]:
    if target.num_missing:
        yield Remark(target.name, f"rows without a target, from which nothing is learned: {target.num_missing:,}")
    rare = [(shown(label), count) for label, count in target.counts.items() if count < _FEW_ROWS]
    if rare:
        yield Remark(
            target.name,
            f"classes of very few rows ({counted(dict(rare[:8]))}) can hardly be learned or measured; drop them by a "
            "rule, or unite them by clean.replace",
        )
    if target.unknown:
        labels = ", ".join(map(shown, target.unknown[:8]))
        yield Remark(target.name, f"the test table has classes that the rows looked at don't have: {labels}")
    if target.task == "regression":
        capped = signs.cap(as_numbers(whole(cleaned.column(target.name))))
        if capped is not None:
            value, rows = capped
            yield Remark(
                target.name,
                f"many rows, {rows:,} ({rows / cleaned.num_rows:.1%}), stand at its largest value, {shown(value)}: "
                "probably cut off there, so errors are measured against a wrong truth",
            )


def _doubtful(text: str, rows: dict[str, int]) -> Remark:
    column = next(iter(rows))
    nulled = ", ".join(f"{name}: {{{text}: null}}" for name in rows)
    return Remark(
        column if len(rows) == 1 else None,
        f"{shown(text)} ({counted(rows)}) may mean missing; it is left a category of its own, from which a model "
        "learns as much, and more where it isn't given by chance",
        f"clean: {{replace: {{{nulled}}}}}",
    )


def _of_feature(name: str, kind: str, dtype: str, values: Any) -> Iterator[Remark]:
    missing = values.null_count / len(values)
    if missing > MAX_MISSING:
        yield Remark(name, f"{missing:.1%} of its values are missing")
    if kind == "numeric":
        yield from _of_numbers(name, as_numbers(values))
    elif kind == "categorical":
        yield from _of_texts(name, values)


def _suspected(column: Column, cleaned: Any, num_features: int) -> Iterator[Remark]:
    """What `distml validate` would find in a column besides, as seen in these rows."""
    values = whole(cleaned.column(column.name))
    if column.kind in ("numeric", "datetime"):
        numbers = as_numbers(values)
        present = numbers[np.isfinite(numbers)]
        counts = NumberCounts.of(present, len(present))
        suspects = list(suspects_in_numbers(column, counts, present, num_features)) if len(present) else []
    else:
        suspects = list(suspects_in_texts(column, TextCounts.of(values.drop_null(), len(values)).rows))
    for suspect in suspects:
        if suspect.kind in _SUSPECTED and suspect.probe is not None:
            count = int(suspect.probe.mask(cleaned).sum())
            yield Remark(column.name, f"{numbered(count, 'row')}: {suspect.told}", suspect.remedy)


def _of_numbers(name: str, numbers: np.ndarray) -> Iterator[Remark]:
    told = signs.sentinel(numbers)
    if told is not None:
        value, rows = told
        yield Remark(
            name,
            f"{shown(value)} in {rows:,} rows ({rows / len(numbers):.1%}), far from all others: a code for a missing "
            "value? Trees cut it off by themselves; for networks make it missing",
            f"clean: {{replace: {{{name}: {{{shown(value)}: null}}}}}}",
        )
        return
    capped = signs.cap(numbers)
    if capped is not None:
        value, rows = capped
        yield Remark(name, f"many rows, {rows:,}, stand at its largest value, {shown(value)}: probably cut off there")


def _of_texts(name: str, values: Any) -> Iterator[Remark]:
    import pyarrow.compute as pc

    counts = {item["values"]: item["counts"] for item in pc.value_counts(values.drop_null()).to_pylist()}
    form = signs.odd_form(values)
    if form is not None:
        yield Remark(name, f"holds {form}, and is read as {len(counts):,} categories")
    elif len(counts) > _MANY_CATEGORIES or len(counts) > max(50, 0.2 * len(values)):
        yield Remark(name, f"has {len(counts):,} categories; those with few rows are all read as unknown")
    else:
        twice = same_spelling(counts)
        if twice:
            pairs = ", ".join(f"{shown(a)} and {shown(b)}" for a, b in list(twice.items())[:4])
            yield Remark(name, f"writes categories in two ways: {pairs}; clean.replace unites them")


def _few_values(cleaned: Any, schema: Schema, features: frozenset[str]) -> Iterator[Remark]:
    """Whole numbers that may be names of categories, in one remark."""
    found = {}
    for column in schema.features:
        if column.name in features and column.kind == "numeric" and column.dtype == "integer":
            distinct = len(whole(cleaned.column(column.name)).drop_null().unique())
            if 3 <= distinct <= min(_FEW_VALUES, cleaned.num_rows // _FEW_ROWS):
                found[column.name] = distinct
    if found:
        yield Remark(
            None,
            f"whole numbers of few values are read as quantities: {counted(found)} values. Where they name things "
            "whose order means nothing, say so",
            f"data: {{kinds: {{{next(iter(found))}: categorical}}}}",
        )
