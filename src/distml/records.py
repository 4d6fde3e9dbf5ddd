"""Rows as JSON mappings, to pyarrow tables and back: what requests, golden rows and answers are made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from distml.clean import as_text
from distml.errors import DataError, did_you_mean
from distml.schema import Column, Schema


def table_from_records(records: Sequence[Any], schema: Schema) -> Any:
    """The feature columns of JSON rows as a pyarrow table; other keys are left out.

    Numbers go to number columns, texts, numbers and truth values to categories, ISO texts to dates; null is missing.
    Raises `DataError` naming the row, the column, what was received and what is allowed.
    """
    import pyarrow as pa

    for row, record in enumerate(records):
        if not isinstance(record, dict):
            raise DataError("a row is an object of column to value", received=_shown(record), where=f"row {row}")
    columns = {column.name: _column(records, column) for column in schema.features}
    return pa.table(columns)


def _column(records: Sequence[dict[str, Any]], column: Column) -> Any:
    import pyarrow as pa

    try:
        values = [record[column.name] for record in records]
    except KeyError:
        raise _absent(records, column) from None
    if column.kind == "numeric":
        # The set of types is the cheapest check that lets no truth value or text through as a number.
        if not set(map(type, values)) <= {int, float, type(None)}:
            raise _wrong(values, column, (int, float), "a number or null")
        try:
            return pa.array(values, pa.float64())
        except (pa.ArrowInvalid, OverflowError):
            return pa.array([None if value is None else float(value) for value in values], pa.float64())
    kinds = set(map(type, values))
    if not kinds <= {str, type(None)}:
        if column.kind == "datetime" or not kinds <= {str, int, float, bool, type(None)}:
            wanted = "an ISO date or null" if column.kind == "datetime" else "a text, a number, true, false or null"
            raise _wrong(values, column, (str,) if column.kind == "datetime" else (str, int, float, bool), wanted)
        values = [None if value is None else as_text(value) for value in values]
    return pa.array(values, pa.string())


def _absent(records: Sequence[dict[str, Any]], column: Column) -> DataError:
    row = next(i for i, record in enumerate(records) if column.name not in record)
    near = did_you_mean(column.name, list(records[row]))
    return DataError(
        "a row has every column that the model was fitted on",
        received=f"no {column.name!r}",
        where=f"row {row}, column {column.name}",
        remedy=f"did you mean {near!r} to be {column.name!r}?" if near else "add it; null if it is not known",
    )


def _wrong(values: Sequence[Any], column: Column, kinds: tuple[type, ...], wanted: str) -> DataError:
    row = next(i for i, value in enumerate(values) if value is not None and type(value) not in kinds)
    return DataError(
        f"a {column.kind} column takes {wanted}",
        received=_shown(values[row]),
        where=f"row {row}, column {column.name}",
    )


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def records_from_table(table: Any) -> list[dict[str, Any]]:
    """The rows of a pyarrow table as JSON-ready mappings; dates as ISO texts."""
    import pyarrow as pa

    columns = {}
    for name in table.column_names:
        column = table.column(name)
        if pa.types.is_temporal(column.type):
            columns[name] = [None if value is None else value.isoformat() for value in column.to_pylist()]
        else:
            columns[name] = column.to_pylist()
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def row_json_schema(schema: Schema) -> dict[str, Any]:
    """The JSON schema of one row."""
    properties: dict[str, Any] = {}
    for column in schema.features:
        kinds = {"numeric": ["number"], "datetime": ["string"]}.get(column.kind, ["string", "number", "boolean"])
        properties[column.name] = {"type": [*kinds, "null"]}
        if column.kind == "datetime":
            properties[column.name]["format"] = "date-time"
    return {"type": "object", "properties": properties, "required": list(properties)}
