"""`/predict`: `{"rows": [...]}` or one bare row in JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from distml.postprocess import Prediction
from distml.records import extra_columns
from distml.schema import Schema
from distml.serve.wire.body import check_nesting, json_of
from distml.serve.wire.format import Answered, Rows
from distml.serve.wire.limits import Limits
from distml.serve.wire.problem import Problem, Reply


class Predict:
    """Rows as JSON objects; answers have `predictions`, and for classes `probabilities` per row by label."""

    def read(self, body: bytes, headers: Mapping[str, str], schema: Schema, limits: Limits) -> Rows:
        records = check_objects(parse_rows(body, limits.max_rows, limits))
        return Rows(records=records, ignored=extra_columns(records, schema))

    def write(self, prediction: Prediction, rows: Rows, answered: Answered) -> Reply:
        document = predictions_document(prediction)
        document |= {"model": {"name": answered.name, "version": answered.version}, "request_id": answered.request_id}
        return Reply(200, orjson.dumps(document))


def parse_rows(body: bytes, max_rows: int, limits: Limits | None = None) -> list[Any]:
    """The rows of `{"rows": [...]}` or of one bare row. Raises `Problem` 400, 413 or 422."""
    document = json_of(body)
    if not isinstance(document, dict):
        raise Problem(
            422, "invalid-body", f'the body is {{"rows": [...]}} or one row, received {type(document).__name__}'
        )
    is_wrapped = len(document) == 1 and isinstance(document.get("rows"), list)
    rows = document["rows"] if is_wrapped else [document]
    if not rows:
        raise Problem(422, "invalid-body", "a request has at least one row, received none")
    if len(rows) > max_rows:
        raise Problem(413, "too-many-rows", f"a request has at most {max_rows} rows, received {len(rows)}")
    check_nesting(body, document, len(rows), limits or Limits())
    return rows


def check_objects(rows: list[Any]) -> list[dict[str, Any]]:
    """Rows that are all objects. Raises `Problem` 422 naming the first that isn't."""
    if set(map(type, rows)) == {dict}:
        return rows
    row = next(i for i, value in enumerate(rows) if type(value) is not dict)
    received = type(rows[row]).__name__
    raise Problem(
        422, "invalid-row", f"row {row}: a row is an object of column to value, received {received}", row=row,
        received=received,
    )  # fmt: skip


def predictions_document(prediction: Prediction) -> dict[str, Any]:
    """`predictions`, and for classes `probabilities` per row by label."""
    if prediction.labels is None or prediction.probabilities is None:
        return {"predictions": prediction.values.tolist()}
    labels = [label if isinstance(label, str) else orjson.dumps(label).decode() for label in prediction.labels]
    return {
        "predictions": prediction.values.tolist(),
        "probabilities": [dict(zip(labels, row, strict=True)) for row in prediction.probabilities.tolist()],
    }
