"""What a model's endpoints take and answer: an OpenAPI document, and a page of it that needs no network."""

from __future__ import annotations

from typing import Any

from distml.predictor import Predictor
from distml.records import row_json_schema

PATHS = ("/predict", "/schema", "/docs", "/openapi.json", "/healthz", "/readyz")


def row_schema(predictor: Predictor) -> dict[str, Any]:
    """The JSON schema of one row, with a row that works as its example."""
    golden = predictor.package.golden
    schema = row_json_schema(predictor.schema)
    example = golden.rows[0] if golden and golden.rows else {}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "examples": [example]}


def document(name: str, version: int, predictor: Predictor) -> dict[str, Any]:
    """The OpenAPI 3.1 document of a model's endpoints."""
    row = {key: value for key, value in row_schema(predictor).items() if key != "$schema"}
    labels = getattr(predictor.package.postprocess.target, "labels", None)
    value: dict[str, Any] = {"enum": list(labels)} if labels else {"type": "number"}
    prediction: dict[str, Any] = {
        "type": "object",
        "required": ["predictions", "model", "request_id"],
        "properties": {
            "predictions": {"type": "array", "items": value},
            "model": {
                "type": "object",
                "properties": {"name": {"type": "string"}, "version": {"type": "integer"}},
            },
            "request_id": {"type": "string"},
        },
    }
    if labels:
        shares = {"type": "object", "additionalProperties": {"type": "number", "minimum": 0, "maximum": 1}}
        prediction["properties"]["probabilities"] = {"type": "array", "items": shares}
    body = {
        "oneOf": [
            {
                "type": "object",
                "required": ["rows"],
                "properties": {"rows": {"type": "array", "minItems": 1, "items": {"$ref": "#/components/schemas/Row"}}},
            },
            {"$ref": "#/components/schemas/Row"},
        ]
    }
    predict = {
        "summary": "Predict one row or many",
        "requestBody": {"required": True, "content": _content(body)},
        "responses": {
            "200": _response("Predictions, one per row", {"$ref": "#/components/schemas/Prediction"}),
            **{status: _problem(text) for status, text in _PROBLEMS.items()},
        },
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": name, "version": str(version)},
        "paths": {"/predict": {"post": predict}} | {path: {"get": _get(text)} for path, text in _READS.items()},
        "components": {"schemas": {"Row": row, "Prediction": prediction, "Problem": _PROBLEM}},
    }


_READS = {
    "/schema": "JSON schema of a row",
    "/docs": "this page",
    "/openapi.json": "this document",
    "/healthz": "whether the process answers",
    "/readyz": "whether a version is loaded, and which",
}
_PROBLEMS = {
    "400": "The body is not JSON",
    "413": "Too many rows or too large a body",
    "422": "A row is not as the schema says; row and column are named",
    "503": "No version is loaded yet",
}
_PROBLEM = {
    "type": "object",
    "description": "RFC 9457 problem details",
    "required": ["type", "title", "status", "detail"],
    "properties": {key: {"type": "string"} for key in ("type", "title", "detail", "error", "request_id")}
    | {"status": {"type": "integer"}},
}


def _content(schema: dict[str, Any], kind: str = "application/json") -> dict[str, Any]:
    return {kind: {"schema": schema}}


def _response(text: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": text, "content": _content(schema)}


def _problem(text: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": text, "content": _content(schema, "application/problem+json")}


def _get(text: str) -> dict[str, Any]:
    return {"summary": text, "responses": {"200": {"description": text}}}


def page(openapi: dict[str, Any]) -> str:
    """The document as one HTML page with a form to try it; no script from elsewhere."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("distml.serve", "."), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template("docs.html.j2").render(openapi=openapi)
