"""What each endpoint takes and gives, by media type, as JSON schemas."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

from distml.schema import Schema
from distml.serve.wire import JSON, Endpoint
from distml.serve.wire.arrow import ARROW
from distml.serve.wire.csv import CSV
from distml.serve.wire.inference import PREDICTIONS, PROBABILITIES
from distml.serve.wire.tensors import DATATYPES, input_of

_ROW = {"$ref": "#/components/schemas/Row"}
_ROWS = {"type": "array", "minItems": 1, "items": _ROW}
_TEXT, _WHOLE = {"type": "string"}, {"type": "integer"}
_SIZES = {"type": "array", "items": _WHOLE}
_MODEL = {"type": "object", "required": ["name", "version"], "properties": {"name": _TEXT, "version": _WHOLE}}


def _of(required: Sequence[str] | None = None, **properties: Any) -> dict[str, Any]:
    """An object; all its properties are required unless it is said which are."""
    return {"type": "object", "required": list(properties if required is None else required), "properties": properties}


def _closed(**properties: Any) -> dict[str, Any]:
    """An object of exactly these."""
    return {**_of(None, **properties), "additionalProperties": False}


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _only(form: str, content: dict[str, Any]) -> dict[str, Any]:
    """One of MLflow's forms; params are ignored."""
    return {**_of([form], **{form: content, "params": {}}), "additionalProperties": False}


def schemas_of(schema: Schema, labels: Sequence[Any] | None) -> dict[str, Any]:
    """The schemas that operations refer to, beside the row's. labels: of the classes, None for a number."""
    value: dict[str, Any] = {"enum": list(labels)} if labels else {"type": "number"}
    needed = [column.name for column in schema.inputs if not column.optional]
    return {
        "Rows": {"anyOf": [_closed(rows=_ROWS), _ROW]},
        "Invocation": _invocation(needed),
        "Inference": _inference(needed, has_classes=bool(labels)),
        "Feedback": _feedback(value),
        **_answers(value, has_classes=bool(labels)),
        **_metadata(),
    }


def _invocation(needed: list[str]) -> dict[str, Any]:
    names = {"type": "array", "items": _TEXT, "minItems": len(needed), "uniqueItems": True}
    data = {"type": "array", "items": {"type": "array"}, "minItems": 1}
    split = _of(["columns", "data"], columns=names, data=data, index={"type": "array"})
    columns = {"type": "object", "required": needed}
    forms = {"dataframe_split": split, "dataframe_records": _ROWS, "instances": _ROWS}
    forms["inputs"] = {"anyOf": [columns, _ROWS]}
    return {"oneOf": [_only(form, content) for form, content in forms.items()]}


def _inference(needed: list[str], *, has_classes: bool) -> dict[str, Any]:
    shape = {"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 1}
    tensor = _of(name=_TEXT, shape=shape, datatype={"enum": list(DATATYPES)}, data={"type": "array", "minItems": 1})
    output = _of(name={"enum": [PREDICTIONS, PROBABILITIES] if has_classes else [PREDICTIONS]})
    return _of(
        ["inputs"], id={"type": "string", "maxLength": 256},
        inputs={"type": "array", "minItems": max(1, len(needed)), "items": tensor},
        outputs=_list(output), parameters={"type": "object"},
    )  # fmt: skip


def _feedback(label: dict[str, Any]) -> dict[str, Any]:
    request_id = {"type": "string", "pattern": "^[!-~]{1,128}$"}
    row = {"type": "integer", "minimum": 0, "default": 0}
    entry = _of(["request_id", "label"], request_id=request_id, row=row, label=label)
    labels = {**_list({"anyOf": [label, {"type": "null"}]}), "contains": label}
    of_one = _closed(request_id=request_id, labels=labels)
    return {"oneOf": [of_one, _closed(feedback={"type": "array", "minItems": 1, "items": entry})]}


def _answers(value: dict[str, Any], *, has_classes: bool) -> dict[str, Any]:
    share = {"type": "number", "minimum": 0, "maximum": 1}
    shares = {"probabilities": _list({"type": "object", "additionalProperties": share})} if has_classes else {}
    required = ["name", "shape", "datatype", "data"]
    output = _of(
        required, name=_TEXT, shape=_SIZES, datatype=_TEXT, data={"type": "array"}, parameters={"type": "object"}
    )
    return {
        "Prediction": _of(None, predictions=_list(value), model=_MODEL, request_id=_TEXT, **shares),
        "Predictions": _of(predictions=_list(value)),
        "Inferred": _of(model_name=_TEXT, model_version=_TEXT, id=_TEXT, outputs=_list(output)),
        "Accepted": _of(accepted=_WHOLE, segment=_TEXT, request_id=_TEXT),
    }


def _metadata() -> dict[str, Any]:
    told = _of(["name", "shape", "datatype"], name=_TEXT, shape=_SIZES, datatype=_TEXT, parameters={"type": "object"})
    return {
        "Alive": _of(status={"const": "alive"}),
        "Ready": _of(["status"], status={"const": "ready"}, model=_MODEL),
        "Server": _of(name=_TEXT, version=_TEXT, extensions=_list(_TEXT)),
        "Live": _of(live={"const": True}),
        "ServerReady": _of(["ready"], ready={"const": True}),
        "ModelReady": _of(name=_TEXT, ready={"const": True}),
        "Model": _of(name=_TEXT, versions=_list(_TEXT), platform=_TEXT, inputs=_list(told), outputs=_list(told)),
    }


_TAKEN = {"predict": "Rows", "invocations": "Invocation", "infer": "Inference", "feedback": "Feedback"}
_GIVEN = {
    "predict": "Prediction", "invocations": "Predictions", "infer": "Inferred", "feedback": "Accepted",
    "healthz": "Alive", "readyz": "Ready", "v2": "Server", "v2_live": "Live", "v2_ready": "ServerReady",
    "v2_model": "Model", "v2_model_ready": "ModelReady",
}  # fmt: skip
_TABLES = {
    ARROW: "an Arrow IPC stream of raw columns",
    CSV: "a header and rows",
}


def bodies_of(endpoint: Endpoint, example: dict[str, Any], schema: Schema) -> dict[str, Any]:
    """The bodies of an endpoint by media type, with an example of a row that works; none for one that is read."""
    if endpoint.name not in _TAKEN:
        return {}
    named: dict[str, Any] = {"schema": {"$ref": f"#/components/schemas/{_TAKEN[endpoint.name]}"}}
    examples = {"predict": {"rows": [example]}, "invocations": {"dataframe_records": [example]}}
    if endpoint.name in examples and example:
        named["example"] = examples[endpoint.name]
    if endpoint.name == "infer" and example:
        named["example"] = {"inputs": _tensors(example, schema)}
    content = {JSON: named}
    if ARROW in endpoint.takes:
        content[ARROW] = {"schema": {"type": "string", "contentMediaType": ARROW, "description": _TABLES[ARROW]}}
    if CSV in endpoint.takes:
        content[CSV] = {"schema": {"type": "string", "description": _TABLES[CSV]}, "example": _line(example)}
    return content


def answers_of(endpoint: Endpoint) -> tuple[str, dict[str, Any]]:
    """The status of an endpoint's answer, and what it is by media type."""
    status = "202" if endpoint.name == "feedback" else "200"
    if endpoint.name == "docs":
        return status, {"text/html": {"schema": _TEXT}}
    if endpoint.name == "metrics":
        return status, {"text/plain": {"schema": _TEXT}}
    if endpoint.name not in _GIVEN:
        return status, {JSON: {"schema": {"type": "object"}}}
    content: dict[str, Any] = {JSON: {"schema": {"$ref": f"#/components/schemas/{_GIVEN[endpoint.name]}"}}}
    if ARROW in endpoint.gives:
        content[ARROW] = {"schema": {"type": "string", "contentMediaType": ARROW}}
    return status, content


def _tensors(example: dict[str, Any], schema: Schema) -> list[dict[str, Any]]:
    """A row as tensors of one value each, but for images."""
    datatypes = {column.name: input_of(column)["datatype"] for column in schema.inputs if column.kind != "image"}
    return [
        {"name": name, "shape": [1], "datatype": "BYTES" if isinstance(example[name], str) else datatype}
        | {"data": [example[name]]}
        for name, datatype in datatypes.items()
        if name in example
    ]


def _line(example: dict[str, Any]) -> str:
    """A row as CSV."""
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow(example)
    writer.writerow(example.values())
    return sink.getvalue()
