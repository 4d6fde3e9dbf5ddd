"""`/predict`: `{"rows": [...]}` or one bare row in JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import orjson

from distml.postprocess import Prediction
from distml.schema import Schema
from distml.serve.wire.body import check_nesting, check_repeated, json_of
from distml.serve.wire.format import Answered, Rows
from distml.serve.wire.limits import Limits
from distml.serve.wire.problem import Problem, Reply
from distml.serve.wire.rows import rows_of_records

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
        check_repeated(body, document, sum(map(len, records)) + (records[0] is not document))
        return rows

    def write(self, prediction: Prediction, rows: Rows, answered: Answered) -> Reply:
        document: dict[str, Any] = {"predictions": prediction.values.tolist()}
        if prediction.labels is not None and prediction.probabilities is not None:
            document["probabilities"] = shares(prediction.labels, prediction.probabilities)
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


def shares(labels: Sequence[Any], probabilities: np.ndarray) -> orjson.Fragment:
    """Probabilities [n, k] as JSON: an object of label to probability per row, without making n of them.

    >>> orjson.dumps(shares(["a", "b"], np.array([[0.25, 0.75]])))
    b'[{"a":0.25,"b":0.75}]'
    """
    numbers = orjson.dumps(np.ascontiguousarray(probabilities).ravel(), option=orjson.OPT_SERIALIZE_NUMPY)[1:-1]
    keys = (orjson.dumps(label_text(label)).replace(b"%", b"%%") for label in labels)
    row = b"{" + b",".join(key + b":%b" for key in keys) + b"}"
    rows = b",".join([row] * len(probabilities))
    return orjson.Fragment(b"[" + rows % tuple(numbers.split(b",")) + b"]")


def label_text(label: Any) -> str:
    """A class as a key of JSON.

    >>> label_text("a"), label_text(True), label_text(3)
    ('a', 'true', '3')
    """
    return label if isinstance(label, str) else orjson.dumps(label).decode()
