"""`/predict`: `{"rows": [...]}` or one bare row in JSON."""

from __future__ import annotations

from typing import Any

import orjson

from distml.postprocess import Prediction
from distml.serve.wire.problem import Problem


def parse_rows(body: bytes, max_rows: int) -> list[Any]:
    """The rows of `{"rows": [...]}` or of one bare row. Raises `Problem` 400, 413 or 422."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Problem(400, "invalid-json", f"the body is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise Problem(
            422, "invalid-body", f'the body is {{"rows": [...]}} or one row, received {type(document).__name__}'
        )
    rows = document["rows"] if set(document) == {"rows"} and isinstance(document["rows"], list) else [document]
    if not rows:
        raise Problem(422, "invalid-body", "a request has at least one row, received none")
    if len(rows) > max_rows:
        raise Problem(413, "too-many-rows", f"a request has at most {max_rows} rows, received {len(rows)}")
    return rows


def predictions_document(prediction: Prediction) -> dict[str, Any]:
    """`predictions`, and for classes `probabilities` per row by label."""
    if prediction.labels is None or prediction.probabilities is None:
        return {"predictions": prediction.values.tolist()}
    labels = [label if isinstance(label, str) else orjson.dumps(label).decode() for label in prediction.labels]
    return {
        "predictions": prediction.values.tolist(),
        "probabilities": [dict(zip(labels, row, strict=True)) for row in prediction.probabilities.tolist()],
    }
