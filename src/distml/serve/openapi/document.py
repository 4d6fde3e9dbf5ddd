"""The OpenAPI 3.1 document of a model's endpoints: one operation for each in `wire.ENDPOINTS`."""

from __future__ import annotations

from typing import Any

from distml.predictor import Predictor
from distml.records import row_json_schema
from distml.serve.openapi.bodies import answers_of, bodies_of, schemas_of
from distml.serve.openapi.problems import PROBLEM_SCHEMA, problems_of
from distml.serve.wire import ENDPOINTS, Endpoint

_HEADERS = {
    "X-Request-Id": {"description": "The request's own id where it sent one", "schema": {"type": "string"}},
    "X-Model-Version": {"description": "The version that answered", "schema": {"type": "string"}},
}
_REQUEST_ID = {
    "name": "X-Request-Id", "in": "header", "required": False,
    "description": "An id for the request and its answer; one is drawn where it is none or not of this form",
    "schema": {"type": "string"},
}  # fmt: skip
_TIMEOUT = {
    "name": "X-Request-Timeout", "in": "header", "required": False, "description": "Seconds until 504 is answered",
    "schema": {"type": "number", "exclusiveMinimum": 0},
}  # fmt: skip


def row_schema(predictor: Predictor) -> dict[str, Any]:
    """The JSON schema of one row, with a row that works as its example."""
    schema = row_json_schema(predictor.schema)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "examples": [_example(predictor)]}


def document(name: str, version: int, predictor: Predictor) -> dict[str, Any]:
    """What the endpoints of a version take and answer; its paths are below the model's route."""
    row = {key: value for key, value in row_schema(predictor).items() if key != "$schema"}
    labels = getattr(predictor.package.postprocess.target, "labels", None)
    paths: dict[str, Any] = {}
    for endpoint in ENDPOINTS:
        paths[endpoint.path] = {endpoint.methods[0].lower(): _operation(endpoint, name, predictor)}
    for path in [path for path in paths if "{model}" in path]:
        paths[path.replace("{model}", "{model}/versions/{version}")] = _of_version(paths[path], version)
    return {
        "openapi": "3.1.0",
        "info": {"title": name, "version": str(version)},
        "servers": [{"url": ".", "description": "the model's route, where this document is"}],
        "paths": paths,
        "components": {
            "schemas": {"Row": row, "Problem": PROBLEM_SCHEMA, **schemas_of(predictor.schema, labels)},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(endpoint: Endpoint, name: str, predictor: Predictor) -> dict[str, Any]:
    operation: dict[str, Any] = {"operationId": endpoint.name, "summary": endpoint.summary}
    parameters = [_REQUEST_ID, _TIMEOUT] if endpoint.takes else [_REQUEST_ID]
    if "{model}" in endpoint.path:
        parameters = [_in_path("model", name), *parameters]
    status, answers = answers_of(endpoint)
    answer = {"description": endpoint.summary, "headers": _HEADERS, "content": answers}
    operation |= {"parameters": parameters, "responses": {status: answer} | problems_of(endpoint)}
    if endpoint.scope is not None:  # the empty one: where the service asks for no token
        operation["security"] = [{"token": [endpoint.scope]}, {}]
    content = bodies_of(endpoint, _example(predictor), predictor.schema)
    if content:
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _of_version(operations: dict[str, Any], version: int) -> dict[str, Any]:
    """The same, of the version that the path names."""
    return {
        method: {
            **operation,
            "operationId": f"{operation['operationId']}_of_version",
            "summary": f"{operation['summary']}, by one version",
            "parameters": [_in_path("version", version), *operation["parameters"]],
        }
        for method, operation in operations.items()
    }


def _in_path(name: str, value: str | int) -> dict[str, Any]:
    """A parameter of the path that has one value here."""
    kind = "integer" if isinstance(value, int) else "string"
    return {"name": name, "in": "path", "required": True, "schema": {"type": kind, "enum": [value]}}


def _example(predictor: Predictor) -> dict[str, Any]:
    golden = predictor.package.golden
    return golden.rows[0] if golden and golden.rows else {}
