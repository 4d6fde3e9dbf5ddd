"""What goes over HTTP: requests into rows, predictions and problems into answers. It knows nothing of models or Ray."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson

from distml.clean import Finding
from distml.errors import DataError
from distml.postprocess import Prediction

JSON = "application/json"
PROBLEM = "application/problem+json"


@dataclass(frozen=True)
class Reply:
    """An HTTP answer."""

    status: int
    body: bytes
    content_type: str = JSON
    headers: dict[str, str] = field(default_factory=dict)


class Problem(Exception):
    """A request that can't be answered: status, stable type, and RFC 9457 members."""

    def __init__(self, status: int, kind: str, detail: str, **members: Any) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind
        self.detail = detail
        self.members = members

    def reply(self, request_id: str) -> Reply:
        document = {
            "type": f"urn:distml:problem:{self.kind}",
            "title": self.kind.replace("-", " "),
            "status": self.status,
            "detail": self.detail,
            "error": self.detail,  # where Open Inference clients look
            "request_id": request_id,
            **self.members,
        }
        return Reply(self.status, orjson.dumps(document), PROBLEM)


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


def problem_of(error: DataError) -> Problem:
    """A 422 from what cleaning or reading rows said."""
    members = {key: value for key, value in error.to_dict().items() if value is not None and key != "type"}
    return Problem(422, "invalid-row", str(error), **members)


def problem_of_finding(finding: Finding) -> Problem:
    """A 422 for rows that cleaning wouldn't keep: the first of them, and how many."""
    row, value = finding.examples[0]
    return Problem(
        422,
        "invalid-row",
        f"row {row}, column {finding.column}: {finding.rule}, received {value}",
        rule=finding.rule,
        row=row,
        column=finding.column,
        received=value,
        rows=finding.count,
    )


def predictions_document(prediction: Prediction) -> dict[str, Any]:
    """`predictions`, and for classes `probabilities` per row by label."""
    if prediction.labels is None or prediction.probabilities is None:
        return {"predictions": prediction.values.tolist()}
    labels = [label if isinstance(label, str) else orjson.dumps(label).decode() for label in prediction.labels]
    return {
        "predictions": prediction.values.tolist(),
        "probabilities": [dict(zip(labels, row, strict=True)) for row in prediction.probabilities.tolist()],
    }
