"""`/feedback`: labels that become known later, by the request id and row of what was predicted."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from distml.clean import as_text
from distml.serve.wire.body import check_nesting, check_repeated, json_of, plain
from distml.serve.wire.format import Answered
from distml.serve.wire.limits import Limits
from distml.serve.wire.problem import Problem, Reply
from distml.serve.wire.request_id import REQUEST_ID, is_request_id
from distml.target import ClassTarget, Target

_FORM = '{"request_id": ..., "labels": [...]} or {"feedback": [{"request_id": ..., "row": 0, "label": ...}, ...]}'


@dataclass(frozen=True, kw_only=True)
class Label:
    """What turned out to be true of one row of a request: one of the target's labels, of their own type, or a float."""

    request_id: str
    row: int
    label: Any


def read_labels(
    body: bytes, headers: Mapping[str, str], target: Target, limits: Limits, *, is_private: bool = False
) -> list[Label]:
    """The labels of a body as it came. In `labels`, one per row of the request, null is one that isn't known yet.

    is_private: whether the target's values may not be quoted. Raises `Problem` 400, 413, 415, or 422 naming the entry.
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
    labels = [_label(number, entry, target, limits, is_private) for number, entry in entries.items()]
    check_repeated(body, document, len(document))
    return labels


def accepted_reply(num_labels: int, answered: Answered) -> Reply:
    """The answer to feedback that was noted: 202, as it is joined to what was predicted later."""
    return Reply(202, orjson.dumps({"accepted": num_labels, "request_id": answered.request_id}))


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


def _label(number: int, entry: Any, target: Target, limits: Limits, is_private: bool) -> Label:
    if not isinstance(entry, dict):
        raise _wrong(number, "an entry is an object of request_id, row and label", type(entry).__name__)
    request_id, row = entry.get("request_id"), entry.get("row", 0)
    if not isinstance(request_id, str) or not is_request_id(request_id):
        raise _wrong(number, f"a request_id is {REQUEST_ID}", repr(request_id)[:60])
    if type(row) is not int or not 0 <= row < limits.max_rows:
        raise _wrong(number, f"a row is a whole number from 0 to {limits.max_rows - 1}", repr(row)[:60])
    if "label" not in entry:
        raise _wrong(number, "an entry has a label", "none")
    label = entry["label"]
    shown = "(private)" if is_private else repr(label)[:60]
    return Label(request_id=request_id, row=row, label=_known(number, label, target, shown))


def _known(number: int, label: Any, target: Target, shown: str) -> Any:
    """A label as the target has it: texts and values of its classes are one."""
    if isinstance(target, ClassTarget):
        if isinstance(label, (bool, int, float, str)):
            text = as_text(label) if math.isfinite(label if isinstance(label, float) else 0) else ""
            for known in target.labels:
                if as_text(known) == text:
                    return known
        raise _wrong(number, f"a label is one of {', '.join(map(repr, target.labels[:20]))}", shown)
    if type(label) not in (int, float) or not math.isfinite(_number(label)):
        raise _wrong(number, "a label is a finite number", shown)
    return _number(label)


def _number(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _wrong(number: int, rule: str, received: str) -> Problem:
    detail = f"feedback[{number}]: {rule}, received {received}"
    return Problem(422, "invalid-feedback", detail, entry=number, received=received, allowed=rule)
