"""Rows as JSON mappings, to pyarrow tables and back: what requests, golden rows and answers are made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from distml.clean import as_text
from distml.errors import DataError, did_you_mean
from distml.images import ImageError, is_tensor, pixels_of
from distml.images.json import WANTED, from_json, to_json
from distml.schema import Column, Schema


def table_from_records(records: Sequence[Any], schema: Schema) -> Any:
    """The columns that a model reads of JSON rows as a pyarrow table; other keys are left out.

    Numbers go to number columns, texts, numbers and truth values to categories, ISO texts to dates; null is missing.
    An image is base64 of an encoded one, or lists of pixels. Raises `DataError` naming the row, the column, what was
    received and what is allowed.
    """
    import pyarrow as pa

    for row, record in enumerate(records):
        if not isinstance(record, dict):
            raise DataError("a row is an object of column to value", received=_shown(record), where=f"row {row}")
    columns = {column.name: _column(records, column, schema) for column in schema.inputs}
    return pa.table(columns)


def _column(records: Sequence[dict[str, Any]], column: Column, schema: Schema) -> Any:
    import pyarrow as pa

    try:
        values = [record[column.name] for record in records]
    except KeyError:
        raise _absent(records, column, schema) from None
    if column.kind == "numeric":
        # The set of types is the cheapest check that lets no truth value or text through as a number.
        if not set(map(type, values)) <= {int, float, type(None)}:
            raise _wrong(values, column, (int, float), "a number or null")
        try:
            return pa.array(values, pa.float64())
        except (pa.ArrowInvalid, OverflowError):
            return pa.array(_as_floats(values, column), pa.float64())
    if column.kind == "image":
        return pa.array([_image(value, row, column) for row, value in enumerate(values)], pa.large_binary())
    kinds = set(map(type, values))
    if not kinds <= {str, type(None)}:
        if column.kind == "datetime" or not kinds <= {str, int, float, bool, type(None)}:
            wanted = "an ISO date or null" if column.kind == "datetime" else "a text, a number, true, false or null"
            raise _wrong(values, column, (str,) if column.kind == "datetime" else (str, int, float, bool), wanted)
        values = [None if value is None else as_text(value) for value in values]
    return pa.array(values, pa.string())


def _image(value: Any, row: int, column: Column) -> bytes | None:
    try:
        return None if value is None else from_json(value)
    except ImageError as error:
        raise DataError(
            f"an image column takes {WANTED}",
            received="(private)" if column.private else str(error),
            where=f"row {row}, column {column.name}",
        ) from error


def _as_floats(values: Sequence[Any], column: Column) -> list[float | None]:
    """Numbers as the nearest float64: integers beyond 2**53 are rounded, those beyond its range refused."""
    floats: list[float | None] = []
    for row, value in enumerate(values):
        try:
            floats.append(None if value is None else float(value))
        except OverflowError as error:
            raise DataError(
                "a number lies within the range of a 64-bit float",
                received=_received(value, column),
                where=f"row {row}, column {column.name}",
            ) from error
    return floats


def _absent(records: Sequence[dict[str, Any]], column: Column, schema: Schema) -> DataError:
    row = next(i for i, record in enumerate(records) if column.name not in record)
    near = did_you_mean(column.name, [key for key in records[row] if key not in schema])
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
        received=_received(values[row], column),
        where=f"row {row}, column {column.name}",
    )


def _received(value: Any, column: Column) -> str:
    return "(private)" if column.private else _shown(value)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def extra_columns(records: Sequence[dict[str, Any]], schema: Schema) -> dict[str, int]:
    """Keys that no column of the schema reads -> rows that have them."""
    names = {column.name for column in schema.inputs}
    extra: dict[str, int] = {}
    for record in records:
        if len(record) > len(names):  # every one of them is there, or reading the rows would have raised
            for key in record.keys() - names:
                extra[key] = extra.get(key, 0) + 1
    return extra


def records_from_table(table: Any) -> list[dict[str, Any]]:
    """The rows of a pyarrow table as JSON-ready mappings; dates as ISO texts, pixels as base64 of a PNG."""
    import pyarrow as pa

    columns = {}
    for name in table.column_names:
        column = table.column(name)
        if pa.types.is_temporal(column.type):
            columns[name] = [None if value is None else value.isoformat() for value in column.to_pylist()]
        elif is_tensor(column.type):
            missing = column.is_null().to_pylist()
            pairs = zip(pixels_of(column), missing, strict=True)
            columns[name] = [None if is_missing else to_json(pixels) for pixels, is_missing in pairs]
        else:
            columns[name] = column.to_pylist()
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def row_json_schema(schema: Schema) -> dict[str, Any]:
    """The JSON schema of one row."""
    properties: dict[str, Any] = {}
    for column in schema.inputs:
        kinds = {"numeric": ["number"], "datetime": ["string"]}.get(column.kind, ["string", "number", "boolean"])
        properties[column.name] = {"type": [*kinds, "null"]}
        if column.kind == "image":
            properties[column.name] = {"type": ["string", "array", "null"], "description": WANTED}
        if column.kind == "datetime":
            properties[column.name]["format"] = "date-time"
    return {"type": "object", "properties": properties, "required": list(properties)}
