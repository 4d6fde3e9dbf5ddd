"""Columns of whatever pyarrow type as the types that raw columns of JSON rows have, so that both are cleaned alike."""

from __future__ import annotations

from typing import Any

from distml.arrays import is_any_text
from distml.clean.convert import as_texts
from distml.errors import DataError
from distml.images import is_encoded, is_tensor
from distml.schema import Column, Schema


def typed(table: Any, schema: Schema) -> Any:
    """The columns that a model reads of a pyarrow table; optional ones that it hasn't are null.

    Numbers become float64, codes and long texts plain texts, numbers and truth values of a category the texts that
    JSON's would be. Dates, encoded images and tensors of pixels stay as they are. Raises `DataError` naming the
    column whose type means nothing here.
    """
    import pyarrow as pa

    names = set(table.column_names)
    columns = {
        column.name: _typed(table.column(column.name), column) if column.name in names
        else pa.nulls(table.num_rows, pa.float64() if column.kind == "numeric" else pa.string())
        for column in schema.inputs
    }  # fmt: skip
    return pa.table(columns)


def _typed(values: Any, column: Column) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    kind = values.type
    if pa.types.is_null(kind):
        return values.cast(pa.float64() if column.kind == "numeric" else pa.string())
    if column.kind == "numeric" and _is_number(kind):
        return values if kind == pa.float64() else pc.cast(values, pa.float64(), safe=False)
    if column.kind == "image" and (is_encoded(kind) or is_tensor(kind)):
        return values
    if column.kind == "datetime" and (pa.types.is_timestamp(kind) or pa.types.is_date(kind)):
        return values
    if column.kind not in ("numeric", "image") and is_any_text(kind):
        return values if kind == pa.string() else pc.cast(values, pa.string())
    if column.kind not in ("numeric", "image", "datetime") and (pa.types.is_boolean(kind) or _is_number(kind)):
        return as_texts(pa.chunked_array(values).combine_chunks())
    article = "an" if column.kind == "image" else "a"
    rule = f"{article} {column.kind} column takes {_TAKEN[column.kind]}"
    raise DataError(rule, received=str(kind), where=f"column {column.name}")


_TAKEN = {
    "numeric": "integers, floats or decimals",
    "categorical": "texts, codes of texts, numbers or truth values",
    "text": "texts, codes of texts, numbers or truth values",
    "boolean": "truth values, texts or numbers",
    "datetime": "timestamps, dates or ISO texts",
    "image": "encoded images as binary, or fixed-shape tensors of uint8",
}


def _is_number(kind: Any) -> bool:
    import pyarrow as pa

    return any(test(kind) for test in (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal))
