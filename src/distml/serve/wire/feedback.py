"""`/feedback`: labels that become known later, by the request id and row of what was predicted.

Whether a label is one of the model's is not known here: `serve.feedback.labels` looks at that.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from distml.errors import DataError
from distml.serve.wire.body import check_nesting, check_repeated, json_of, plain
from distml.serve.wire.format import Answered
from distml.serve.wire.limits import Limits
from distml.serve.wire.problem import Problem, Reply
from distml.serve.wire.request_id import REQUEST_ID, is_request_id

_FORM = '{"request_id": ..., "labels": [...]} or {"feedback": [{"request_id": ..., "row": 0, "label": ...}, ...]}'


@dataclass(frozen=True, kw_only=True)
class Label:
    """What turned out to be true of one row of a request, as JSON has it. entry: its place in the body, from 0."""

    request_id: str
    row: int
    label: Any
    entry: int

    @property
    def where(self) -> str:
        """What an error calls it."""
        return f"feedback[{self.entry}]"


def read_labels(body: bytes, headers: Mapping[str, str], limits: Limits) -> list[Label]:
    """The labels of a body as it came. In `labels`, one per row of the request, null is one that isn't known yet.

    Raises `Problem` 400, 413, 415, or 422 naming the entry.
    """
    body = plain(body, headers, limits)
    document = json_of(body)
    entries = _entries(document)
    check_nesting(body, document, len(entries), limits)
    if len(entries) > limits.max_rows:
        detail = f"a request has at most {limits.max_rows} labels, received {len(entries)}"
        raise Problem(413, "too-many-rows", detail)
    if not entries:
        raise Problem(422, "invalid-body", "feedback has at least one label, received none")
    labels = [_label(number, entry, limits) for number, entry in entries.items()]
    check_repeated(body, document, len(document))
    return labels


def accepted_reply(num_labels: int, segment: str, answered: Answered) -> Reply:
    """The answer to feedback that was kept: 202, as it is joined to what was predicted later. segment: that holds it,
    by its name in the inference log."""
    return Reply(202, orjson.dumps({"accepted": num_labels, "segment": segment, "request_id": answered.request_id}))


def problem_of_label(error: DataError) -> Problem:
    """A 422 from what was said of a label, with the entry where it names one by `Label.where`."""
    place = re.fullmatch(r"feedback\[(\d+)\]", error.where or "")
    members = {"received": error.received, "allowed": error.rule, "remedy": error.remedy}
    known: dict[str, Any] = {key: value for key, value in members.items() if value is not None}
    if place is not None:
        known["entry"] = int(place.group(1))
    return Problem(422, "invalid-feedback", str(error), headers=None, **known)


def _entries(document: Any) -> dict[int, Any]:
    """Both forms as entries of one label each, by their place."""
    if isinstance(document, dict):
        entries, labels = document.get("feedback"), document.get("labels")
        if isinstance(entries, list) and len(document) == 1:
            return dict(enumerate(entries))
        if isinstance(labels, list) and set(document) == {"request_id", "labels"}:
            of = document["request_id"]
            known = ((row, label) for row, label in enumerate(labels) if label is not None)
            return {row: {"request_id": of, "row": row, "label": label} for row, label in known}
    raise Problem(422, "invalid-body", f"the body is {_FORM}", allowed=_FORM)


def _label(number: int, entry: Any, limits: Limits) -> Label:
    if not isinstance(entry, dict):
        raise _wrong(number, "an entry is an object of request_id, row and label", type(entry).__name__)
    request_id, row = entry.get("request_id"), entry.get("row", 0)
    if not isinstance(request_id, str) or not is_request_id(request_id):
        raise _wrong(number, f"a request_id is {REQUEST_ID}", repr(request_id)[:60])
    if type(row) is not int or not 0 <= row < limits.max_rows:
        raise _wrong(number, f"a row is a whole number from 0 to {limits.max_rows - 1}", repr(row)[:60])
    if "label" not in entry:
        raise _wrong(number, "an entry has a label", "none")
    return Label(request_id=request_id, row=row, label=entry["label"], entry=number)


def _wrong(number: int, rule: str, received: str) -> Problem:
    detail = f"feedback[{number}]: {rule}, received {received}"
    return Problem(422, "invalid-feedback", detail, entry=number, received=received, allowed=rule)
