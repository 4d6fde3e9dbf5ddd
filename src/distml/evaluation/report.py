"""What a predictor is worth on given rows, overall and by slice."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from distml.metrics import decision_metrics, score_all
from distml.predictor import Predictor
from distml.summary import as_numbers
from distml.target import NumericTarget

MIN_SLICE_ROWS = 20
_LATENCY_ROWS = 200


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Targets [n] and scores [n, k] or [n] of a predictor on a table's rows, and the metrics of the task.

    decisions: what the labels that it tells are worth, at the package's threshold; empty but for two classes.
    """

    target: np.ndarray
    scores: np.ndarray
    metrics: dict[str, float]
    decisions: dict[str, float] = field(default_factory=dict)


def evaluate(predictor: Predictor, table: Any) -> Evaluation:
    """Predicts a cleaned pyarrow table through the serving path and scores it against its target column.

    Raises `DataError` for a class that the predictor doesn't know.
    """
    target = true_values(predictor, table)
    prediction = predictor.predict(table)
    decisions: dict[str, float] = {}
    if prediction.labels is not None and len(prediction.labels) == 2:
        decisions = {"threshold": predictor.package.postprocess.threshold}
        decisions |= decision_metrics(target, prediction.values == prediction.labels[1])
    metrics = score_all(predictor.package.task, target, prediction.scores)  # type: ignore[arg-type]
    return Evaluation(target=target, scores=prediction.scores, metrics=metrics, decisions=decisions)


def true_values(predictor: Predictor, table: Any) -> np.ndarray:
    """The target column as metrics take it: class codes [n], or numbers [n] in their own unit."""
    target = predictor.package.postprocess.target
    column = table.column(predictor.schema.target.name).combine_chunks()
    return as_numbers(column) if isinstance(target, NumericTarget) else target.encode(column)


def slice_metrics(
    evaluation: Evaluation, table: Any, columns: Sequence[str], task: Any
) -> dict[str, list[dict[str, Any]]]:
    """Metrics by the values of columns: column -> slices, each {value, rows, metrics}.

    Numbers are cut at their quartiles; slices below `MIN_SLICE_ROWS` rows are listed without metrics.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for column in columns:
        labels = _slice_labels(table.column(column).combine_chunks())
        found[column] = []
        for value in sorted(set(labels)):
            chosen = labels == value
            entry: dict[str, Any] = {"value": str(value), "rows": int(chosen.sum())}
            if entry["rows"] >= MIN_SLICE_ROWS:
                entry["metrics"] = score_all(task, evaluation.target[chosen], evaluation.scores[chosen])
            found[column].append(entry)
    return found


def _slice_labels(values: Any) -> np.ndarray:
    import pyarrow as pa

    if pa.types.is_string(values.type):
        return values.fill_null("(missing)").to_numpy(zero_copy_only=False).astype(str)
    numbers = as_numbers(values)
    if np.isnan(numbers).all():
        return np.full(len(numbers), "(missing)")
    edges = np.unique(np.nanquantile(numbers, [0, 0.25, 0.5, 0.75, 1]))
    place = np.clip(np.searchsorted(edges, numbers, side="right") - 1, 0, max(len(edges) - 2, 0))
    names = [f"{i + 1}: {low:.4g} to {high:.4g}" for i, (low, high) in enumerate(pairwise(edges))]
    return np.where(np.isnan(numbers), "(missing)", np.array(names or [f"1: {edges[0]:.4g}"])[place])


def one_row_latency_ms(predictor: Predictor, table: Any, quantile: float = 0.99) -> float:
    """A quantile of the time that one-row predictions take in this process, in milliseconds."""
    times = []
    for i in range(min(_LATENCY_ROWS, table.num_rows)):
        started = time.perf_counter()
        predictor.predict(table.slice(i, 1))
        times.append((time.perf_counter() - started) * 1000)
    return float(np.quantile(times[min(10, len(times) - 1) :], quantile))
