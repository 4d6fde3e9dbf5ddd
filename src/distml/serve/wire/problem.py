"""Answers, and among them problems: RFC 9457 documents with a stable type."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from distml.clean import Finding
from distml.errors import DataError

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
    """A request that can't be answered: status, stable type, RFC 9457 members, and headers of the answer."""

    def __init__(
        self, status: int, kind: str, detail: str, *, headers: Mapping[str, str] | None = None, **members: Any
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind
        self.detail = detail
        self.headers = dict(headers or {})
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
        return Reply(self.status, orjson.dumps(document), PROBLEM, dict(self.headers))


def busy(status: int, kind: str, detail: str, retry_after_s: float) -> Problem:
    """A 503 or 429 that says when to come again: in whole seconds, at least one."""
    return Problem(status, kind, detail, headers={"Retry-After": str(max(1, math.ceil(retry_after_s)))})


def problem_of(error: DataError) -> Problem:
    """A 422 from what reading rows said, with row and column where it names them."""
    place = _PLACE.fullmatch(error.where or "")
    members: dict[str, Any] = {"received": error.received, "allowed": error.rule, "remedy": error.remedy}
    if place is not None:
        row, column = place.groups()
        members |= {"row": None if row is None else int(row), "column": column}
    known = {key: value for key, value in members.items() if value is not None}
    return Problem(422, "invalid-row", str(error), headers=None, **known)


_PLACE = re.compile(r"(?:row (\d+))?(?:, )?(?:column (.+))?", re.DOTALL)


def problem_of_finding(finding: Finding) -> Problem:
    """A 422 for rows that cleaning wouldn't keep: the first of them, and how many."""
    row, value = finding.examples[0]
    return Problem(
        422, "invalid-row", f"row {row}, column {finding.column}: {finding.rule}, received {value}",
        row=row, column=finding.column, received=value, allowed=finding.rule, rows=finding.count,
    )  # fmt: skip
