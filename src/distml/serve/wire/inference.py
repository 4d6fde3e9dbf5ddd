"""The Open Inference Protocol, version 2, over HTTP with JSON bodies: one input tensor per column.

https://github.com/open-inference/open-inference-protocol
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import orjson

from distml.postprocess import Prediction
from distml.schema import Schema
from distml.serve.wire.body import check_nesting, check_repeated, json_of
from distml.serve.wire.format import Answered, Rows
from distml.serve.wire.limits import Limits
from distml.serve.wire.predict import label_text
from distml.serve.wire.problem import Problem, Reply
from distml.serve.wire.rows import rows_of_columns
from distml.serve.wire.tensors import columns_of, input_of

PREDICTIONS, PROBABILITIES = "predictions", "probabilities"


class Inference:
    """Answers have the outputs `predictions` and, for classes, `probabilities` [n, k], whose parameter `labels` names
    the k classes as JSON. A label is BYTES, a number FP64."""

    def read(self, body: bytes, headers: Mapping[str, str], schema: Schema, limits: Limits) -> Rows:
        document = json_of(body)
        if not isinstance(document, dict) or "inputs" not in document:
            raise Problem(422, "invalid-body", 'the body is an object with "inputs", a list of tensors')
        tensors = document["inputs"]
        check_nesting(body, document, len(tensors) if isinstance(tensors, list) else 0, limits)
        told = {"id": _id(document), "outputs": _wanted(document)}
        columns, num_rows = columns_of(tensors, schema)
        check_repeated(body, document, len(document) + sum(map(len, tensors)))
        return rows_of_columns(columns, num_rows, schema, limits, told)

    def write(self, prediction: Prediction, rows: Rows, answered: Answered) -> Reply:
        outputs = {output["name"]: output for output in outputs_of(prediction)}
        wanted = rows.told.get("outputs") or list(outputs)
        for name in wanted:
            if name not in outputs:
                raise unknown_output(name, list(outputs))
        document = {
            "model_name": answered.name,
            "model_version": str(answered.version),
            "id": rows.told.get("id") or answered.request_id,
            "outputs": [outputs[name] for name in dict.fromkeys(wanted)],
        }
        return Reply(200, orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY), headers=answered.headers)


def outputs_of(prediction: Prediction) -> list[dict[str, Any]]:
    """A prediction as tensors."""
    n = len(prediction)
    if prediction.labels is None or prediction.probabilities is None:
        return [{"name": PREDICTIONS, "datatype": "FP64", "shape": [n], "data": prediction.values.tolist()}]
    values = [label_text(value) for value in prediction.values.tolist()]
    shares = prediction.probabilities
    return [
        {"name": PREDICTIONS, "datatype": "BYTES", "shape": [n], "data": values},
        {"name": PROBABILITIES, "datatype": "FP64", "shape": list(shares.shape), "data": shares.ravel().tolist()}
        | {"parameters": _labels(prediction.labels)},
    ]


def _labels(labels: Sequence[Any]) -> dict[str, str]:
    """The classes as a parameter, which the protocol wants to be a text, a number or a truth value."""
    return {"labels": orjson.dumps([label_text(label) for label in labels]).decode()}


def _id(document: dict[str, Any]) -> str | None:
    given = document.get("id")
    if given is None or (isinstance(given, str) and len(given) <= 256):
        return given
    raise Problem(422, "invalid-body", "an id is a text of at most 256 characters", allowed="a text")


def _wanted(document: dict[str, Any]) -> list[str] | None:
    """The outputs that a request asks for; None for all."""
    given = document.get("outputs")
    if given is None:
        return None
    if not isinstance(given, list) or not all(isinstance(o, dict) and isinstance(o.get("name"), str) for o in given):
        raise Problem(422, "invalid-body", "outputs are a list of objects, each with a name")
    names = [output["name"] for output in given]
    for name in names:
        if name not in (PREDICTIONS, PROBABILITIES):
            raise unknown_output(name, [PREDICTIONS, PROBABILITIES])
    return names


def unknown_output(name: str, known: list[str]) -> Problem:
    received = name if len(name) <= 60 else name[:57] + "..."
    return Problem(
        400, "unknown-output", f"this model's outputs are {', '.join(known)}, received {received!r}",
        received=received, allowed=known,
    )  # fmt: skip


def server_document() -> dict[str, Any]:
    """`GET /v2`."""
    return {"name": "distml", "version": version("distml"), "extensions": []}


def live_document() -> dict[str, Any]:
    """`GET /v2/health/live`."""
    return {"live": True}


def ready_document() -> dict[str, Any]:
    """`GET /v2/health/ready`, where a version is loaded."""
    return {"ready": True}


def model_ready_document(name: str) -> dict[str, Any]:
    """`GET /v2/models/{model}/ready`, where a version is loaded."""
    return {"name": name, "ready": True}


def model_document(name: str, versions: Sequence[int], schema: Schema, labels: Sequence[Any] | None) -> dict[str, Any]:
    """`GET /v2/models/{model}`. labels: of the classes, None for a number."""
    outputs: list[dict[str, Any]] = [{"name": PREDICTIONS, "datatype": "BYTES" if labels else "FP64", "shape": [-1]}]
    if labels:
        shape = [-1, len(labels)]
        outputs.append({"name": PROBABILITIES, "datatype": "FP64", "shape": shape, "parameters": _labels(labels)})
    return {
        "name": name,
        "versions": [str(number) for number in versions],
        "platform": "distml",
        "inputs": [input_of(column) for column in schema.inputs],
        "outputs": outputs,
    }
