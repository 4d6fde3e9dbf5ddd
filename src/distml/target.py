"""The target as a model is trained on it, and the way back to what the user's table says."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

from distml.clean import as_text
from distml.clean.convert import plain_number
from distml.config.base import Scalar, Task
from distml.config.data import DataConfig
from distml.config.features import Scale
from distml.errors import DataError
from distml.metrics import METRICS, Metric
from distml.scaling import Numbers, Scaling, scaling_from_dict, scaling_to_dict
from distml.schema import Schema
from distml.summary import TableSummary, as_numbers


@dataclass(frozen=True, kw_only=True)
class ClassTarget:
    """Classes by code: `labels[code]` is what the table said, of its own type."""

    labels: tuple[Scalar, ...]
    kind: ClassVar[str] = "classes"

    @property
    def task(self) -> Task:
        return "binary" if len(self.labels) == 2 else "multiclass"

    @property
    def num_outputs(self) -> int:
        return len(self.labels)

    def encode(self, column: Any) -> np.ndarray:
        """Texts of a pyarrow array as codes, int64 [n]. Raises `DataError` at a label that fitting never saw."""
        import pyarrow as pa
        import pyarrow.compute as pc

        known = pa.array([as_text(label) for label in self.labels], pa.string())
        codes = pc.index_in(column, value_set=known)
        if codes.null_count:
            row = int(np.flatnonzero(codes.is_null().to_numpy(zero_copy_only=False))[0])
            raise DataError(
                "a target value is one of the classes that training saw",
                received=repr(column[row].as_py()),
                where=f"row {row}",
                remedy=f"classes: {', '.join(map(repr, self.labels[:20]))}",
            )
        return pc.cast(codes, pa.int64()).to_numpy(zero_copy_only=False)


@dataclass(frozen=True, kw_only=True)
class NumericTarget:
    """A number, trained on as `scaling` makes it. mean: of the training rows, in the target's own unit."""

    mean: float
    scaling: Scaling | None
    kind: ClassVar[str] = "number"
    task: ClassVar[Task] = "regression"
    num_outputs: ClassVar[int] = 1

    def encode(self, column: Any) -> np.ndarray:
        """Numbers of a pyarrow array, scaled, float32 [n]."""
        values = as_numbers(column)
        return (values if self.scaling is None else self.scaling.transform(values)).astype(np.float32)

    def decode(self, values: np.ndarray) -> np.ndarray:
        """Model outputs [n] in the target's own unit, float64 [n]."""
        values = values.astype(np.float64)
        return values if self.scaling is None else self.scaling.inverse(values)


Target = ClassTarget | NumericTarget


@dataclass(frozen=True)
class _OwnUnitMetric(Metric):
    """A metric of scaled targets and predictions that says what it would of them in their own unit."""

    scaled: NumericTarget

    def __call__(self, target: np.ndarray, prediction: np.ndarray) -> float:
        return super().__call__(self.scaled.decode(target), self.scaled.decode(prediction))

    def __reduce__(self) -> tuple[Any, ...]:
        return own_unit, (METRICS[self.name], self.scaled)


def own_unit(metric: Metric, target: Target) -> Metric:
    """The metric as a fit needs it, whose targets and predictions are scaled: scores are in the target's own unit."""
    if not isinstance(target, NumericTarget):
        return metric
    return _OwnUnitMetric(metric.name, metric.direction, metric.tasks, metric.function, target)


def _unscalable(numbers: Numbers, scale: Scale, name: str) -> DataError:
    """A target that varies too little for a scale, or by more than a float can square."""
    where = f"column {name}"
    if np.isfinite([numbers.deviation, numbers.most - numbers.least]).all():
        others = [other for other in ("standard", "quantile") if other != scale]
        return DataError(
            "a target's training rows vary enough for its scale", received=scale, where=where,
            remedy=f"set features.target: {' or '.join(others)}",
        )  # fmt: skip
    return DataError(
        "a target's numbers vary by less than floats can square, about 1e150",
        received=f"{numbers.least:.4g} to {numbers.most:.4g}", where=where,
        remedy="write the target in a larger unit, or drop the rows that are far off by clean.rules",
    )  # fmt: skip


def fit_target(schema: Schema, summary: TableSummary, config: DataConfig, scale: Scale = "standard") -> Target:
    """The target's encoding from the training split's summary; `scale` is that of a number.

    Raises `DataError` for a target of one value, for `task: binary` with another number of classes than two, and
    for more classes than rows could teach.
    """
    name = schema.target.name
    column = summary.columns[name]
    if column.is_number:
        if column.variance == 0:
            raise DataError("a target takes at least two values", received=column.min, where=f"column {name}")
        numbers = Numbers.of(name, summary)
        scaling = numbers.scaled(scale)
        if scaling is None and scale != "none":
            raise _unscalable(numbers, scale, name)
        return NumericTarget(mean=column.mean, scaling=scaling)
    if column.categories is None or len(column.categories) > max(2, column.present // 2):
        raise DataError(
            "a class target repeats its classes",
            received=f"{column.distinct} distinct values in {column.present} rows",
            where=f"column {name}",
            remedy="set data.task: regression, or check that data.target names the right column",
        )
    labels = _labels(list(column.categories), schema.target.dtype)
    if len(labels) < 2:
        raise DataError(
            "a class target takes at least two values",
            received=f"only {labels[0]!r}" if labels else "no value",
            where=f"column {name}",
            remedy="check data.target, clean.replace and the rows that the source selects",
        )
    if config.task == "binary" and len(labels) != 2:
        raise DataError(
            "a binary target takes two values",
            received=f"{len(labels)}: {', '.join(map(repr, labels[:8]))}",
            where=f"column {name}",
            remedy="unify spellings with clean.replace, or set data.task: multiclass",
        )
    if config.positive is not None:
        labels = _with_positive_last(labels, config.positive, name)
    return ClassTarget(labels=tuple(labels))


def _with_positive_last(labels: list[Any], positive: Scalar, name: str) -> list[Any]:
    wanted = (as_text(positive), plain_number(as_text(positive)))
    chosen = [label for label in labels if as_text(label) in wanted]
    if not chosen or len(labels) != 2:
        raise DataError(
            "data.positive names one of two classes",
            received=repr(positive),
            where=f"column {name}",
            remedy=f"classes: {', '.join(map(repr, labels[:20]))}",
        )
    return [label for label in labels if label != chosen[0]] + chosen


def _labels(texts: list[str], dtype: str) -> list[Any]:
    """Classes in order: of the table's own type where that is written as the table wrote it, else texts, as "01" is."""
    labels: list[Any]
    try:
        labels = [_typed(text, dtype) for text in texts]
    except ValueError:
        return sorted(texts)
    return sorted(labels if [as_text(label) for label in labels] == texts else texts)


def _typed(text: str, dtype: str) -> Scalar:
    """A cleaned target text as the table had it."""
    if dtype == "integer":
        return int(text)
    if dtype == "number":
        return float(text)
    return text == "true" if dtype == "boolean" else text


def target_to_dict(target: Target) -> dict[str, Any]:
    if isinstance(target, NumericTarget):
        return {"kind": target.kind, "mean": target.mean, "scaling": scaling_to_dict(target.scaling)}
    return {"kind": target.kind, **asdict(target)}


def target_from_dict(value: dict[str, Any]) -> Target:
    if value["kind"] == "classes":
        return ClassTarget(labels=tuple(value["labels"]))
    return NumericTarget(mean=value["mean"], scaling=scaling_from_dict(value["scaling"]))
