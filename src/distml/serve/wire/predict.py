"""`/predict`: `{"rows": [...]}` or one bare row in JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from distml.postprocess import Prediction
from distml.schema import Schema
from distml.serve.wire.body import check_nesting, check_repeated, json_of
from distml.serve.wire.format import Answered, Rows
from distml.serve.wire.limits import Limits
from distml.serve.wire.problem import Problem, Reply
from distml.serve.wire.rows import check_count, rows_of_records

_FORM = '{"rows": [...]} or one row'


class Predict:
    """Rows as JSON objects; answers have `predictions`, and for classes `probabilities` per row by label."""

    def read(self, body: bytes, headers: Mapping[str, str], schema: Schema, limits: Limits) -> Rows:
        document = json_of(body)
        if not isinstance(document, dict):
            raise Problem(422, "invalid-body", f"the body is {_FORM}, received {type(document).__name__}")
        records = _records(document)
        check_nesting(body, document, len(records), limits)
        rows = rows_of_records(records, schema, limits)
        check_repeated(body, records if records[0] is document else [document, *records])
        return rows

    def write(self, prediction: Prediction, rows: Rows, answered: Answered) -> Reply:
        document = predictions_document(prediction)
        document["model"] = {"name": answered.name, "version": answered.version}
        document["request_id"] = answered.request_id
        return Reply(200, orjson.dumps(document))


def _records(document: dict[str, Any]) -> list[Any]:
    """The rows of `{"rows": [...]}`; any other object is a row itself."""
    if len(document) == 1:
        rows = document.get("rows")
        if isinstance(rows, list):
            return rows
    return [document]


def parse_rows(body: bytes, max_rows: int) -> list[Any]:
    """The rows of a body. Raises `Problem` 400, 413 or 422."""
    document = json_of(body)
    if not isinstance(document, dict):
        raise Problem(422, "invalid-body", f"the body is {_FORM}, received {type(document).__name__}")
    rows = _records(document)
    check_count(len(rows), Limits(max_rows=max_rows))
    return rows


def predictions_document(prediction: Prediction) -> dict[str, Any]:
    """`predictions`, and for classes `probabilities` per row by label."""
    if prediction.labels is None or prediction.probabilities is None:
        return {"predictions": prediction.values.tolist()}
    labels = [label_text(label) for label in prediction.labels]
    return {
        "predictions": prediction.values.tolist(),
        "probabilities": [dict(zip(labels, row, strict=True)) for row in prediction.probabilities.tolist()],
    }


def label_text(label: Any) -> str:
    """A class as a key of JSON.

    >>> label_text("a"), label_text(True), label_text(3)
    ('a', 'true', '3')
    """
    return label if isinstance(label, str) else orjson.dumps(label).decode()
