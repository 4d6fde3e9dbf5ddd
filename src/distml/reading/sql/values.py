"""From the Python values of a query's rows to Arrow: one rule for each type, whatever the database.

numeric and decimal are 64-bit floats, as all numbers are that a model sees; JSON and arrays are their JSON text; uuids
are texts; stamps with a zone are UTC. A column of several types, as SQLite allows, is text.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np

from distml.config.base import as_text
from distml.errors import DataError

_NUMBERS = {int, float, Decimal}
_SCALARS = _NUMBERS | {bool, str, dt.date, dt.datetime, dt.time, UUID}


def to_arrow(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> Any:
    """Rows [n] of values [c] as a pyarrow table; a column without any value is of the type null.

    Raises `DataError` for a column of a type that isn't listed above.

    >>> to_arrow(["a", "b"], [(1, "x"), (None, None)]).to_pydict()
    {'a': [1, None], 'b': ['x', None]}
    """
    import pyarrow as pa

    columns: Sequence[Sequence[Any]] = list(zip(*rows, strict=True)) if rows else [()] * len(names)
    return pa.table([_column(name, values) for name, values in zip(names, columns, strict=True)], list(names))


def joined(blocks: Sequence[Any]) -> Any:
    """Pyarrow tables of the same columns as one; what came as numbers in one of them and as texts in another is text.

    >>> joined([to_arrow(["a"], [(1,)]), to_arrow(["a"], [("x",)])]).to_pydict()
    {'a': ['1', 'x']}
    """
    import pyarrow as pa

    names = blocks[0].column_names
    mixed = [name for name in names if _is_mixed({block.schema.field(name).type for block in blocks})]
    return pa.concat_tables([_with_texts(block, mixed) for block in blocks], promote_options="permissive")


def settled(block: Any, schema: Any) -> Any:
    """A pyarrow table whose columns without a value, and whole numbers among others, are of the types of a schema."""
    import pyarrow as pa

    for index, field in enumerate(schema):
        kind = block.schema.field(index).type
        if pa.types.is_null(kind) or (pa.types.is_integer(kind) and pa.types.is_floating(field.type)):
            block = block.set_column(index, field.name, block.column(index).cast(field.type, safe=False))
    return block


def _is_mixed(kinds: set[Any]) -> bool:
    import pyarrow as pa

    return pa.string() in kinds and not kinds <= {pa.string(), pa.null()}


def _with_texts(block: Any, names: Sequence[str]) -> Any:
    import pyarrow as pa

    for name in names:
        texts = pa.array(list(map(_as_text, block.column(name).to_pylist())), pa.string())
        block = block.set_column(block.column_names.index(name), name, texts)
    return block


def _column(name: str, values: Sequence[Any]) -> Any:
    import pyarrow as pa

    kinds = set(map(type, values)) - {type(None)}
    if kinds == {dt.datetime}:
        has_zone = any(value is not None and value.tzinfo is not None for value in values)
        return pa.array(values, pa.timestamp("us", tz="UTC" if has_zone else None))
    if kinds and kinds <= {dict, list}:
        return pa.array(list(map(_as_json, values)), pa.string())
    if kinds == {UUID}:
        return pa.array(list(map(_as_text, values)), pa.string())
    if kinds <= _NUMBERS:
        return _numbers(kinds, values)
    if len(kinds) == 1 and kinds <= _SCALARS | {bytes, bytearray, memoryview, dt.timedelta}:
        return pa.array(values)
    if kinds <= _SCALARS:
        return pa.array(list(map(_as_text, values)), pa.string())
    raise DataError(
        "a query's column holds numbers, texts, truth values, stamps or bytes",
        received=", ".join(sorted(kind.__name__ for kind in kinds)),
        where=f"column {name}",
        remedy="cast it to text in the query, or leave it out",
    )


def _numbers(kinds: set[type], values: Sequence[Any]) -> Any:
    import pyarrow as pa

    if Decimal not in kinds:
        try:
            return pa.array(values)
        except (OverflowError, pa.ArrowInvalid):  # beyond 64 bits, or beyond the whole numbers that a float holds
            pass
    return pa.array(np.array(values, np.float64), from_pandas=True)


def _as_text(value: Any) -> str | None:
    if isinstance(value, Decimal):
        value = float(value)
    return None if value is None else as_text(value)


def _as_json(value: Any) -> str | None:
    return None if value is None else json.dumps(value, sort_keys=True, default=str, ensure_ascii=False)
