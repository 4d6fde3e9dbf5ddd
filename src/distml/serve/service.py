"""`Service`: what a replica does with a request, without Ray or HTTP: validate, predict, note for the monitor.

The version that answers is one reference, swapped as a whole: a request sees the old version or the new one.
"""

from __future__ import annotations

import logging
import re
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from distml.clean import Cleaned
from distml.errors import CodeError, DataError
from distml.images import without_pixels
from distml.postprocess import Prediction
from distml.predictor import Predictor
from distml.records import extra_columns, table_from_records
from distml.serve import openapi
from distml.serve.wire import (
    JSON,
    Limits,
    Problem,
    Reply,
    parse_rows,
    predictions_document,
    problem_of,
    problem_of_finding,
)
from distml.window import Window

_REQUEST_ID = re.compile(r"^[\x21-\x7e]{1,128}$")


@dataclass
class _Seen:
    """What the requests since the last `take_window` were; touched on the request path, so appended to only."""

    rows: list[tuple[Cleaned, Prediction]] = field(default_factory=list)
    few: list[tuple[list[dict[str, Any]], Prediction]] = field(default_factory=list)  # predicted without a table
    milliseconds: list[float] = field(default_factory=list)
    errors: dict[str, int] = field(default_factory=dict)
    ignored: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class _Live:
    """A version that answers, and what it has seen."""

    number: int
    predictor: Predictor
    seen: _Seen


class Service:
    """Answers requests for one model.

    `handle` runs on one thread, the replica's event loop; `swap` and `take_window` may be called from another.
    """

    def __init__(self, name: str, limits: Limits | None = None) -> None:
        self.name = name
        self.limits = limits or Limits()
        self._live: _Live | None = None
        self._lock = threading.Lock()
        self._retired: list[_Live] = []  # swapped out since the last take_windows
        self._closing: list[_Live] = []  # taken aside by the last take_windows

    @property
    def version(self) -> int | None:
        """The number of the version that answers, None before the first."""
        return self._live.number if self._live else None

    def swap(self, number: int, predictor: Predictor) -> None:
        """Makes a loaded version the one that answers. The caller has replayed its golden rows."""
        with self._lock:
            previous, self._live = self._live, _Live(number, predictor, _Seen())
            if previous is not None:
                self._retired.append(previous)

    def take_windows(self) -> list[Window]:
        """What was served up to the last call but one, a window per version; empty ones are left out.

        What is taken aside by one call is summarised by the next, when no request under way can add to it.
        """
        with self._lock:
            closed, self._closing, self._retired = self._closing, self._retired, []
            if self._live is not None:
                self._closing.append(self._live)
                self._live = _Live(self._live.number, self._live.predictor, _Seen())
        return [_window(live) for live in closed if live.seen.milliseconds or live.seen.errors]

    def handle(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Answers one request; `path` is below the model's route. Never raises for what a client sent."""
        started = time.perf_counter()
        request_id = _request_id(headers)
        live = self._live
        try:
            reply = self._route(method, path, body, request_id, live)
        except Problem as problem:
            reply = problem.reply(request_id)
            if live is not None:
                live.seen.errors[problem.kind] = live.seen.errors.get(problem.kind, 0) + 1
        if live is not None and path == "/predict":
            live.seen.milliseconds.append((time.perf_counter() - started) * 1000)
        reply.headers["X-Request-Id"] = request_id
        return reply

    def _route(self, method: str, path: str, body: bytes, request_id: str, live: _Live | None) -> Reply:
        wanted = {"/predict": "POST"}.get(path, "GET")
        if path == "/healthz":
            return _json({"status": "alive"})
        if path not in ("/predict", "/readyz", "/schema", "/openapi.json", "/docs"):
            raise Problem(404, "not-found", f"there is no {path} here", paths=list(openapi.PATHS))
        if method != wanted and not (method == "HEAD" and wanted == "GET"):
            raise Problem(405, "method-not-allowed", f"{path} takes {wanted}, received {method}")
        if live is None:
            raise Problem(503, "not-ready", "no version is loaded yet")
        if path == "/predict":
            return self._predict(body, request_id, live)
        model = {"name": self.name, "version": live.number}
        if path == "/readyz":
            return _json({"status": "ready", "model": model})
        if path == "/schema":
            return _json(openapi.row_schema(live.predictor))
        document = openapi.document(self.name, live.number, live.predictor)
        if path == "/openapi.json":
            return _json(document)
        return Reply(200, openapi.page(document).encode(), "text/html; charset=utf-8")

    def _predict(self, body: bytes, request_id: str, live: _Live) -> Reply:
        rows = parse_rows(body, self.limits.max_rows)
        prediction = live.predictor.predict_few(rows)
        if prediction is None:
            prediction = self._predict_table(rows, live)
        else:
            live.seen.few.append((rows, prediction))
        for column, count in extra_columns(rows, live.predictor.schema).items():
            live.seen.ignored[column] = live.seen.ignored.get(column, 0) + count
        document = predictions_document(prediction)
        document |= {"model": {"name": self.name, "version": live.number}, "request_id": request_id}
        return _json(document)

    def _predict_table(self, rows: list[dict[str, Any]], live: _Live) -> Prediction:
        """Predictions for rows that cleaning changes or refuses, and for many."""
        try:
            table = table_from_records(rows, live.predictor.schema)
            cleaned, prediction = live.predictor.predict_kept(table)
        except DataError as error:
            raise problem_of(error) from None
        except CodeError as error:
            logging.getLogger(__name__).error("%s", error)  # whoever runs the service is told more than who asks it
            raise Problem(500, "feature-failed", f"{error.rule}; in {error.where}", rule=error.rule) from error
        if not cleaned.kept.all():
            raise problem_of_finding(next(f for f in cleaned.findings if f.action in ("fail", "quarantine", "drop")))
        if live.predictor.has_images:
            cleaned = replace(cleaned, table=without_pixels(cleaned.table))
        live.seen.rows.append((cleaned, prediction))
        return prediction

    def too_large(self, headers: Mapping[str, str]) -> Reply:
        """The answer to a body above the limit, which isn't read to its end."""
        request_id = _request_id(headers)
        megabytes = self.limits.max_body_bytes / (1 << 20)
        reply = Problem(413, "body-too-large", f"a body has at most {megabytes:g} MiB").reply(request_id)
        reply.headers.update({"X-Request-Id": request_id, "Connection": "close"})
        return reply


def _window(live: _Live) -> Window:
    seen = live.seen
    baseline = live.predictor.package.baseline
    window = Window.like(live.number, baseline.inputs, baseline.predictions)
    for milliseconds in seen.milliseconds:
        window.time(milliseconds)
    window.errors, window.ignored = seen.errors, seen.ignored
    window.observe(_cleaned(live), [prediction for _, prediction in (*seen.rows, *seen.few)])
    return window


def _cleaned(live: _Live) -> list[Cleaned]:
    """The served rows, those that were predicted without a table as one."""
    cleaned = [rows for rows, _ in live.seen.rows]
    records = [row for rows, _ in live.seen.few for row in rows]
    if records:
        cleaned.append(live.predictor.clean(table_from_records(records, live.predictor.schema)))
    return cleaned


def _request_id(headers: Mapping[str, str]) -> str:
    """The client's own id where it is short and printable, else a new one."""
    given = headers.get("x-request-id", "")
    return given if _REQUEST_ID.match(given) else uuid.uuid4().hex


def _json(document: Any) -> Reply:
    return Reply(200, orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY), JSON)
