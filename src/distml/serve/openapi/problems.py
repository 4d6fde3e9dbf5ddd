"""Which problems an endpoint answers with, and what a problem looks like."""

from __future__ import annotations

from typing import Any

from distml.serve.wire import PROBLEM, Endpoint

PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "RFC 9457 problem details. Of a row: which row and column, what was received, what is allowed.",
    "required": ["type", "title", "status", "detail", "error"],
    "properties": {
        "type": {"type": "string", "description": "urn:distml:problem: and its kind, which stays as it is"},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string"},
        "error": {"type": "string", "description": "the detail, where Open Inference clients look for it"},
        "request_id": {"type": "string", "description": "of every request that reached a replica"},
        "row": {"type": "integer", "minimum": 0, "description": "counted from 0"},
        "column": {"type": "string"},
        "received": {"type": "string"},
        "allowed": {"description": "a rule, or a list of what may be there"},
        "remedy": {"type": "string"},
    },
}
_TOLD = {
    "400": "The body is not what its media type says, or nests too deep, or a header has no meaning",
    "401": "No token, or one that isn't valid",
    "403": "The token has not the scope that this needs",
    "404": "The path names another model, or a version that isn't loaded; or this service has no such thing",
    "405": "Another method",
    "406": "No answer that can be given is accepted",
    "408": "The body came too slowly",
    "413": "Too many rows or too large a body",
    "415": "A media type, charset or packing of the body that isn't taken",
    "421": "The Host header names another machine than this one, which a service without tokens asks for",
    "422": "A row, column or value is not as the schema says; it is named",
    "429": "More requests are under way than this service takes at once",
    "431": "The headers are too long",
    "500": "The service failed on the request; what failed is in its log",
    "503": "No version is loaded yet, or too much is asked at once",
    "504": "The answer would have been too late",
}
_RETRY = {"Retry-After": {"description": "Seconds to wait", "schema": {"type": "integer", "minimum": 1}}}


def problems_of(endpoint: Endpoint) -> dict[str, Any]:
    """The problems of an endpoint by status."""
    statuses = {"405", "421", "431"}
    if endpoint.scope is not None:
        statuses |= {"401", "403", "500", "503"}
    if endpoint.name in ("readyz", "v2_ready"):
        statuses |= {"503"}
    if endpoint.methods == ("POST",):
        statuses |= {"400", "406", "408", "413", "415", "422", "429"}
    if endpoint.takes:
        statuses |= {"504"}
    if "{model}" in endpoint.path or endpoint.name in ("feedback", "metrics"):
        statuses |= {"404"}
    return {status: _problem(status) for status in sorted(statuses)}


def _problem(status: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    told = {"description": _TOLD[status], "content": {PROBLEM: {"schema": schema}}}
    return told | {"headers": _RETRY} if status in ("429", "503") else told
