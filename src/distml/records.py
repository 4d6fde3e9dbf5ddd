"""Rows as JSON mappings, to pyarrow tables and back: what requests, golden rows and answers are made of."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping, Sequence
from operator import itemgetter
from typing import Any

from distml.clean import as_text
from distml.errors import DataError, did_you_mean
from distml.images import ImageError, is_tensor, pixels_of
from distml.images.json import WANTED, from_json, to_json
from distml.schema import Column, Schema

_MAX = sys.float_info.max
_NUMBERS = {int, float, type(None)}
_TEXTS = {str, type(None)}
_SCALARS = {str, int, float, bool, type(None)}


def table_from_records(records: Sequence[Any], schema: Schema) -> Any:
    """The columns that a model reads of JSON rows as a pyarrow table; other keys are left out.

    Numbers go to number columns, texts, numbers and truth values to categories, ISO texts to dates; null is missing,
    and so is an optional column that a row hasn't. An image is base64 of an encoded one, or lists of pixels. Raises
    `DataError` naming the row, the column, what was received and what is allowed.
    """
    if not set(map(type, records)) <= {dict}:
        row = next(i for i, record in enumerate(records) if not isinstance(record, dict))
        raise DataError(
            "a row is an object of column to value", received=_shown(records[row]), where=f"row {row}"
        )  # fmt: skip
    return table_from_columns(
        {column.name: _gathered(records, column, schema) for column in schema.inputs}, len(records), schema
    )


def table_from_columns(columns: Mapping[str, Sequence[Any]], num_rows: int, schema: Schema) -> Any:
    """As `table_from_records`, of JSON values by column, `num_rows` of them each; other columns are left out."""
    import pyarrow as pa

    check_columns(columns, schema)
    return pa.table({
        column.name: _column(columns[column.name], column) if column.name in columns
        else pa.nulls(num_rows, pa.float64() if column.kind == "numeric" else pa.string())
        for column in schema.inputs
    })  # fmt: skip


def check_columns(names: Collection[str], schema: Schema) -> None:
    """Raises `DataError` naming the first column that a table of these has to have and hasn't."""
    for column in schema.inputs:
        if column.name not in names and not column.optional:
            raise _absent(names, column, schema, f"column {column.name}")


def _gathered(records: Sequence[dict[str, Any]], column: Column, schema: Schema) -> list[Any]:
    try:
        return list(map(itemgetter(column.name), records))
    except KeyError:
        if column.optional:
            return [record.get(column.name) for record in records]
    row = next(i for i, record in enumerate(records) if column.name not in record)
    raise _absent(records[row], column, schema, f"row {row}, column {column.name}")


def _column(values: Sequence[Any], column: Column) -> Any:
    import pyarrow as pa

    if column.kind == "numeric":
        # The set of types is the cheapest check that lets no truth value or text through as a number.
        if not set(map(type, values)) <= _NUMBERS:
            raise _wrong(values, column, (int, float), "a number or null")
        try:
            return pa.array(values, pa.float64())
        except (pa.ArrowInvalid, OverflowError):
            return pa.array(_as_floats(values, column), pa.float64())
    if column.kind == "image":
        return pa.array([_image(value, row, column) for row, value in enumerate(values)], pa.large_binary())
    kinds = set(map(type, values))
    if not kinds <= _TEXTS:
        if column.kind == "datetime" or not kinds <= _SCALARS:
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


def _absent(names: Collection[str], column: Column, schema: Schema, where: str) -> DataError:
    near = did_you_mean(column.name, [key for key in names if key not in schema])
    return DataError(
        "a row has every column that the model was fitted on",
        received=f"no {column.name!r}",
        where=where,
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
    names = schema.input_names
    has_optional = bool(schema.optional_names)
    extra: dict[str, int] = {}
    for record in records:
        # Where none may be left out, every one of them is there, or reading the rows would have raised.
        if len(record) > len(names) or (has_optional and not record.keys() <= names):
            for key in record.keys() - names:
                extra[key] = extra.get(key, 0) + 1
    return extra


def absent_columns(records: Sequence[dict[str, Any]], schema: Schema) -> dict[str, int]:
    """Optional columns that rows don't have -> how many don't."""
    counts = {name: sum(name not in record for record in records) for name in schema.optional_names}
    return {name: count for name, count in counts.items() if count}


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
    """The JSON schema of one row. Columns that it doesn't name are taken too, and ignored."""
    properties = {column.name: _value_schema(column) for column in schema.inputs}
    required = [column.name for column in schema.inputs if not column.optional]
    return {"type": "object", "properties": properties, "required": required}


def _value_schema(column: Column) -> dict[str, Any]:
    if column.kind == "numeric":
        return {"type": ["number", "null"], "minimum": -_MAX, "maximum": _MAX}
    if column.kind == "datetime":
        return {"type": ["string", "null"], "format": "date-time"}
    if column.kind == "image":
        return {"type": ["string", "array", "null"], "description": WANTED}
    if column.kind == "boolean":
        return {"type": ["string", "number", "boolean", "null"], "enum": [True, False, "true", "false", 1, 0, None]}
    return {"type": ["string", "number", "boolean", "null"]}
