"""A user's own function over columns: called with cleaned columns, its result checked, its rows independent."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from distml import code
from distml.arrays import is_any_text, whole
from distml.code import CodeRef
from distml.errors import CodeError
from distml.schema import Column, Schema

_WANTED = {"numeric": "numbers", "categorical": "texts", "boolean": "truth values", "datetime": "dates"}
SAMPLE_ROWS = 2_000


def call(column: Column, used: Sequence[Column], arrays: Sequence[Any], num_rows: int) -> Any:
    """The column that a function makes, a pyarrow array [n] of the type that a column of its kind has.

    The function gets pyarrow arrays [n]: float64, string, bool or timestamp, null where a value is missing. Raises
    `CodeError` where it isn't allowed here, raises, or gives anything but n values of the column's kind.
    """
    import pyarrow as pa

    function = _function(_ref(column), place_of(column.name))
    if not num_rows:
        return pa.array([], column.arrow_type)
    given = [_given(one, values) for one, values in zip(used, arrays, strict=True)]
    try:
        result = function(*given)
    except Exception as error:
        raise CodeError(
            "a function of your own makes a column of every row", received=code.told(error, _ref(column).module),
            where=_where(column), remedy="correct it for such rows; a missing value comes as null",
        ) from error  # fmt: skip
    return _checked(column, result, num_rows)


def check_rowwise(schema: Schema, cleaned: Any) -> None:
    """Tries each function on a cleaned pyarrow table whole, in halves, on one row and on one without any value.

    Raises `CodeError` where a row's value depends on the rows beside it, because a request may hold one row, and a
    part of a table any.
    """
    import pyarrow as pa

    table = cleaned.slice(0, SAMPLE_ROWS).combine_chunks()
    n = table.num_rows
    for column in schema.derived:
        if column.code is None or not n:
            continue
        used = [schema[name] for name in column.uses]
        arrays = [whole(table.column(name)) for name in column.uses]
        call(column, used, [pa.nulls(1, array.type) for array in arrays], 1)
        parts = [(0, n), (0, n // 2), (n // 2, n), (n - 1, n)]
        made = [call(column, used, [a.slice(low, high - low) for a in arrays], high - low) for low, high in parts]
        for (low, high), part in zip(parts[1:], made[1:], strict=True):
            among_all = made[0].slice(low, high - low)
            differs = np.flatnonzero(~_same(among_all, part))
            if len(differs):
                row = int(differs[0])
                shown = "(private)" if column.private else f"{part[row].as_py()!r}, not {among_all[row].as_py()!r}"
                raise CodeError(
                    "a row's value doesn't depend on other rows, as a request may hold one row alone",
                    received=f"row {low + row} among {high - low} rows is {shown} as among {n}",
                    where=_where(column),
                    remedy="make it of the row's own columns; a mean or a rank over rows is for the table's maker",
                )


def reload_functions(schema: Schema) -> None:
    """Imports the functions that a schema's columns are made by, where they are what they were.

    Raises `CodeError` for one that isn't allowed or isn't there, `PackageError` for one with another source.
    """
    for column in schema.derived:
        if column.code is not None:
            _function(column.code, place_of(column.name))


def place_of(name: str) -> str:
    """Where the config says what makes a column."""
    return f"features.functions.{name}"


@lru_cache(maxsize=256)
def _function(ref: CodeRef, where: str) -> Any:
    return code.reload(ref, where)


def _ref(column: Column) -> CodeRef:
    assert column.code is not None
    return column.code


def _where(column: Column) -> str:
    return f"column {column.name}, made by {_ref(column).dotted}"


def _given(column: Column, values: Any) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    return pc.equal(values, pa.scalar("true", values.type)) if column.kind == "boolean" else values


def _checked(column: Column, result: Any, num_rows: int) -> Any:
    import pyarrow as pa

    values = _as_array(result)
    if values is None:
        _refuse(column, "a function of your own gives a pyarrow or numpy array", type(result).__name__)
    if len(values) != num_rows:
        _refuse(column, "a function of your own gives one value for each row", f"{len(values)} for {num_rows}")
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    cast = _cast(column, values)
    if cast is None:
        _refuse(column, f"a {column.kind} column is made of {_WANTED[column.kind]}", str(values.type))
    return cast


def _as_array(result: Any) -> Any:
    """A pyarrow array of what a function gave; None for what isn't one column."""
    import pyarrow as pa

    if isinstance(result, pa.ChunkedArray):
        return whole(result)
    if isinstance(result, pa.Array):
        return result
    if getattr(result, "ndim", None) != 1:  # numpy and pandas arrays have a shape
        return None
    try:
        return whole(pa.array(result, from_pandas=True))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError):
        return None


def _cast(column: Column, values: Any) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    kind, types = values.type, pa.types
    if types.is_null(kind):
        return pa.nulls(len(values), column.arrow_type)
    if column.kind == "boolean":
        return pc.cast(values, pa.string()) if types.is_boolean(kind) else None
    fits = {
        "numeric": types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind),
        "categorical": is_any_text(kind),
        "datetime": types.is_timestamp(kind) or types.is_date(kind),
    }
    if not fits.get(column.kind):
        return None
    if types.is_timestamp(kind) and kind.tz:
        values = pc.cast(values, pa.timestamp("us", tz="UTC"), safe=False)
    return pc.cast(values, column.arrow_type, safe=False)


def _same(a: Any, b: Any) -> np.ndarray:
    """Where two arrays [n] agree, bool [n]; numbers to nine digits, as sums over vectors may round otherwise."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_floating(a.type):
        return np.isclose(a.to_numpy(zero_copy_only=False), b.to_numpy(zero_copy_only=False), 1e-9, 0, equal_nan=True)
    both_null = pc.and_(a.is_null(), b.is_null())
    return pc.or_(both_null, pc.fill_null(pc.equal(a, b), False)).to_numpy(zero_copy_only=False)


def _refuse(column: Column, rule: str, received: str) -> None:
    raise CodeError(rule, received=received, where=_where(column))
