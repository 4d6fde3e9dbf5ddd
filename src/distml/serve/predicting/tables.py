"""The way of tables: rows of a request that are many, that came as a table, or with which something is unusual."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from distml.clean import Cleaned
from distml.errors import DataError
from distml.images import without_pixels
from distml.postprocess import Prediction
from distml.predictor import Predictor
from distml.records import table_from_records
from distml.serve.wire import Rows, problem_of, problem_of_finding


def predict_table(predictor: Predictor, rows: Rows) -> tuple[Cleaned, Prediction]:
    """The rows as cleaning left them, images as their brightness, and a prediction for each.

    Raises `Problem` 422 for rows that don't fit the schema or that cleaning would not keep.
    """
    try:
        cleaned, prediction = predictor.predict_kept(_table(predictor, rows))
    except DataError as error:
        raise problem_of(error) from None
    if not cleaned.kept.all():
        raise problem_of_finding(next(f for f in cleaned.findings if f.action in ("fail", "quarantine", "drop")))
    return (_light(cleaned) if predictor.has_images else cleaned), prediction


def _table(predictor: Predictor, rows: Rows) -> Any:
    return rows.table if rows.records is None else table_from_records(rows.records, predictor.schema)


def _light(cleaned: Cleaned) -> Cleaned:
    """Without pixels, which would be held until they are summarised."""
    return replace(cleaned, table=without_pixels(cleaned.table))
