"""Columns that may know the target. Whether a value is known when a prediction is asked for, no table says: a leak is
a suspicion with its evidence, and only where that is overwhelming is the column left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from distml.arrays import whole
from distml.inspection.columns import Columns
from distml.inspection.remark import Remark
from distml.inspection.scores import Lone, almost_perfect, is_by_design, score_columns, standing_out
from distml.inspection.sums import find_identity
from distml.inspection.targets import Target
from distml.schema import Schema
from distml.summary import as_numbers

_MIN_ROWS, _MIN_OTHERS = 50, 10  # rows, and of a second class: below, a high score is luck
_MAX_SUMS = 3


@dataclass(frozen=True, kw_only=True)
class Leaks:
    """`certain` are to be excluded, `likely` to be asked about. `scores`: each feature's own, best first."""

    certain: tuple[Remark, ...] = ()
    likely: tuple[Remark, ...] = ()
    scores: tuple[Lone, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(str(remark.column) for remark in self.certain)


def find_leaks(cleaned: Any, schema: Schema, target: Target, columns: Columns) -> Leaks:
    """Leaks among the features of a cleaned pyarrow table; `columns` says which are none."""
    values = whole(cleaned.column(target.name))
    present = values.is_valid().to_numpy(zero_copy_only=False)
    if present.sum() < _MIN_ROWS or (target.counts and target.num_others < _MIN_OTHERS):
        return Leaks()
    wanted = target.encode(values.drop_null())
    told = [column.name for column in schema.features if column.kind != "image"]
    every = {name: as_array(cleaned.column(name))[present] for name in told}
    features = {name: array for name, array in every.items() if name not in columns.left_out}
    scores = score_columns(features, wanted, target.task)
    certain = {lone.column: _copied(lone) for lone in almost_perfect(scores)}
    if target.task == "regression":
        ids = {remark.column for remark in columns.ids}
        order = [lone.column for lone in scores] + [name for name in every if name not in features and name not in ids]
        numbers = {name: every[name] for name in order if every[name].dtype.kind == "f" and name not in certain}
        certain |= _parts(numbers, wanted, target.name)
    rest = [lone for lone in scores if lone.column not in certain]
    if not rest:  # nothing would be left to learn from
        return Leaks(likely=tuple(certain.values()), scores=tuple(scores))
    alone = [
        lone for lone in standing_out(rest, _margin(target, len(wanted))) if not is_by_design(features[lone.column])
    ]
    return Leaks(
        certain=tuple(certain.values()),
        likely=tuple(_outstanding(lone, rest[len(alone)]) for lone in alone),
        scores=tuple(scores),
    )


def _margin(target: Target, num_rows: int) -> float:
    """Two standard errors, at most, of a skill: Mann and Whitney's (1947) of 2 AUC - 1, or those of a squared
    correlation."""
    if not target.counts:
        return float(1.54 / np.sqrt(num_rows))
    few = min(target.num_others, num_rows - 1)
    return float(4 * np.sqrt((num_rows + 1) / (12 * few * (num_rows - few))))


def as_array(column: Any) -> np.ndarray:
    """A cleaned column as float64 [n] with NaN, or as int64 codes [n] with -1 where it is of categories."""
    import pyarrow as pa
    import pyarrow.compute as pc

    values = whole(column)
    if not pa.types.is_string(values.type):
        return as_numbers(values)
    indices = pc.fill_null(values.dictionary_encode().indices, -1)
    return indices.cast(pa.int64()).to_numpy(zero_copy_only=False)


def _copied(lone: Lone) -> Remark:
    return Remark(lone.column, f"tells the target alone, almost without error: {lone.told} on rows held out")


def _outstanding(lone: Lone, next_best: Lone) -> Remark:
    return Remark(
        lone.column,
        f"tells far more of the target than any other column: alone {lone.told} on rows held out, the next best, "
        f"{next_best.column}, {next_best.told}. Is it known when a prediction is asked for, or only afterwards?",
        f"data: {{exclude: [{lone.column}]}}",
    )


def _parts(numbers: Mapping[str, np.ndarray], target: np.ndarray, name: str) -> dict[str, Remark]:
    """Columns that make up the target in a sum, then in a sum of what is left, and so on."""
    found: dict[str, Remark] = {}
    for _ in range(_MAX_SUMS):
        identity = find_identity({key: values for key, values in numbers.items() if key not in found}, target)
        if identity is None:
            break
        rows = "every row" if identity.share > 0.9999 else f"{identity.share:.0%} of the rows"
        first, *others = identity.makes_up
        found[first] = Remark(first, f"makes up the target: {name} = {identity.told}, to the digit, in {rows}")
        found |= {other: Remark(other, f"makes up the target too, by the sum at {first}") for other in others}
    return found
