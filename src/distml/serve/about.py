"""What a service says of itself and of its model: everything that is asked by GET."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson

from distml.serve import openapi
from distml.serve.versions.live import Live
from distml.serve.wire import Reply
from distml.serve.wire.inference import (
    live_document,
    model_document,
    model_ready_document,
    ready_document,
    server_document,
)

OPEN = {"healthz": {"status": "alive"}, "v2_live": live_document()}
"""By endpoint what is said whether a version is loaded or not."""


LONG = ("schema", "openapi", "docs")
"""Endpoints whose answers take long to make, the first time."""


def told(endpoint: str, name: str, live: Live) -> Reply:
    """The answer of an endpoint that takes no body, by its name in `wire.ENDPOINTS`; made once for each version."""
    known = live.told.get(endpoint)
    if known is None:
        known = live.told[endpoint] = _TOLD[endpoint](name, live)
    return replace(known, headers={})  # its own, as each answer's headers are added to


def as_json(document: Any) -> Reply:
    return Reply(200, orjson.dumps(document))


def _ready(name: str, live: Live) -> Reply:
    return as_json({"status": "ready", "model": {"name": name, "version": live.number}})


def _schema(name: str, live: Live) -> Reply:
    return as_json(openapi.row_schema(live.predictor))


def _openapi(name: str, live: Live) -> Reply:
    return as_json(openapi.document(name, live.number, live.predictor))


def _docs(name: str, live: Live) -> Reply:
    page = openapi.page(openapi.document(name, live.number, live.predictor))
    return Reply(200, page.encode(), "text/html; charset=utf-8")


def _model(name: str, live: Live) -> Reply:
    labels = getattr(live.predictor.package.postprocess.target, "labels", None)
    return as_json(model_document(name, [live.number], live.predictor.schema, labels))


_TOLD: dict[str, Callable[[str, Live], Reply]] = {
    "readyz": _ready,
    "v2": lambda name, live: as_json(server_document()),
    "v2_ready": lambda name, live: as_json(ready_document()),
    "v2_model": _model,
    "v2_model_ready": lambda name, live: as_json(model_ready_document(name)),
    "schema": _schema,
    "openapi": _openapi,
    "docs": _docs,
}
