"""What HAProxy itself answers: problem+json, as replicas do, one file per status with headers and body."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path

import orjson

from distml.serve.wire.problem import Problem

_AGAIN = {"Retry-After": "1"}
_ANSWERS = (
    Problem(400, "bad-request", "this is no HTTP request"),
    Problem(404, "not-found", "there is nothing at this path"),
    Problem(408, "slow-request", "the request did not arrive in time"),
    Problem(413, "body-too-large", "the body is longer than this service takes"),
    Problem(421, "wrong-host", "this service answers to localhost alone: set `serve.auth`, or send `Host: localhost`"),
    Problem(429, "overloaded", "more requests are under way than this service takes at once", headers=_AGAIN),
    Problem(431, "headers-too-large", "the headers are longer than this service takes"),
    Problem(500, "internal-error", "the endpoint failed"),
    # A replica that ended with the request, or none that answers: the same request may be sent again.
    Problem(502, "unavailable", "the replica ended before it answered: send the request again", headers=_AGAIN),
    Problem(503, "unavailable", "no replica answers: send the request again", headers=_AGAIN),
    Problem(504, "deadline-exceeded", "no replica answered in time"),
)


def write(folder: Path) -> None:
    """A file per status, `404.http`, in a new folder."""
    folder.mkdir()
    for problem in _ANSWERS:
        (folder / f"{problem.status}.http").write_bytes(_response(problem))


def _response(problem: Problem) -> bytes:
    """A whole response. 502 goes out as 503, which says that the service is away for now and not that it is broken."""
    status = 503 if problem.status == 502 else problem.status
    answered = Problem(status, problem.kind, problem.detail, headers=problem.headers)
    reply = answered.reply("")
    body = orjson.dumps({name: value for name, value in orjson.loads(reply.body).items() if name != "request_id"})
    headers = {"Content-Type": reply.content_type, "Content-Length": str(len(body)), **reply.headers}
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *(f"{name}: {text}" for name, text in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body
