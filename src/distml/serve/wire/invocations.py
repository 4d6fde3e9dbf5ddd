"""`/invocations`: what MLflow's scoring server takes, and the answer that it gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson

from distml.postprocess import Prediction
from distml.schema import Schema
from distml.serve.wire.body import check_nesting, check_repeated, json_of
from distml.serve.wire.format import Answered, Rows
from distml.serve.wire.limits import Limits
from distml.serve.wire.problem import JSON, Problem, Reply
from distml.serve.wire.rows import check_count, check_names, rows_of_columns, rows_of_records

FORMS = ("dataframe_split", "dataframe_records", "instances", "inputs")


class Invocations:
    """One of the forms: a pandas frame split or as records, TensorFlow's instances (rows) or inputs (columns).

    `params`, which no model of distml reads, are counted and ignored, as MLflow ignores those that a model's signature
    doesn't name.
    """

    def read(self, body: bytes, headers: Mapping[str, str], schema: Schema, limits: Limits) -> Rows:
        document = json_of(body)
        form, content = _form(document)
        if form == "dataframe_split":
            columns, num_flat = _split(content, limits)
        elif form == "inputs" and isinstance(content, dict):
            columns, num_flat = _checked(content), len(content)
        else:
            rows = _records(form, content)
            check_nesting(body, document, len(rows), limits)
            read = rows_of_records(rows, schema, limits)
            check_repeated(body, document, len(document) + sum(map(len, rows)))
            return _without_params(read, document)
        check_nesting(body, document, num_flat, limits)
        check_repeated(body, document, len(document) + len(content))
        num_rows = len(next(iter(columns.values()), ()))
        return _without_params(rows_of_columns(columns, num_rows, schema, limits), document)

    def write(self, prediction: Prediction, rows: Rows, answered: Answered) -> Reply:
        document = {"predictions": prediction.values.tolist()}
        return Reply(200, orjson.dumps(document), JSON, answered.headers)


def _form(document: Any) -> tuple[str, Any]:
    """Which form a document is of, and what it says."""
    found = [form for form in FORMS if form in document] if isinstance(document, dict) else []
    if len(found) == 1 and set(document) <= {found[0], "params"}:
        return found[0], document[found[0]]
    received = ", ".join(key[:60] for key in [*document][:10]) if isinstance(document, dict) else _kind(document)
    raise Problem(
        422, "invalid-body", f"the body is an object with exactly one of {', '.join(FORMS)}, received {received}",
        received=received, allowed=list(FORMS),
    )  # fmt: skip


def _records(form: str, content: Any) -> list[Any]:
    if not isinstance(content, list):
        raise _wrong(form, "a list of rows, each an object of column to value", content)
    return content


def _split(content: Any, limits: Limits) -> tuple[dict[str, Sequence[Any]], int]:
    """Columns of `{"columns": [...], "data": [[...]]}`, whose index says nothing, and how many lists they were."""
    names, data = (content.get(key) if isinstance(content, dict) else None for key in ("columns", "data"))
    if not isinstance(names, list) or not all(type(name) is str for name in names) or not isinstance(data, list):
        raise _wrong("dataframe_split", '{"columns": [names], "data": [[values of a row]]}', content)
    check_names(names)
    check_count(len(data), limits)
    for row, values in enumerate(data):
        if type(values) is not list or len(values) != len(names):
            told = f"{len(values)} values" if isinstance(values, list) else _kind(values)
            raise Problem(
                422, "invalid-row", f"row {row}: a row has one value per column, {len(names)}, received {told}",
                row=row, received=told, allowed=f"{len(names)} values",
            )  # fmt: skip
    return dict(zip(names, zip(*data, strict=True), strict=True)), len(data)


def _checked(content: dict[str, Any]) -> dict[str, Sequence[Any]]:
    """Columns that are lists of one length; a lone value is a column of one."""
    columns: dict[str, Sequence[Any]] = {
        name: values if isinstance(values, list) else [values] for name, values in content.items()
    }
    num_rows = len(next(iter(columns.values()), ()))
    for name, values in columns.items():
        if len(values) != num_rows:
            told = f"{len(values)} values"
            raise Problem(
                422, "invalid-column", f"column {name[:60]}: columns are of one length, {num_rows}, received {told}",
                column=name[:60], received=told, allowed=f"{num_rows} values",
            )  # fmt: skip
    return columns


def _without_params(rows: Rows, document: dict[str, Any]) -> Rows:
    return replace(rows, ignored={**rows.ignored, "params": rows.num_rows}) if document.get("params") else rows


def _wrong(form: str, wanted: str, content: Any) -> Problem:
    received = _kind(content)
    return Problem(
        422, "invalid-body", f"{form} is {wanted}, received {received}", received=received, allowed=wanted
    )  # fmt: skip


def _kind(value: Any) -> str:
    """What JSON calls a value; not the value, which may be private."""
    return _KINDS.get(type(value), "a number")


_KINDS = {dict: "an object", list: "a list", str: "a text", bool: "a truth value", type(None): "null"}
