"""Tables that Python holds, as Arrow: a pandas DataFrame, a pyarrow Table, a block of a Ray Dataset.

pandas: an index that counts rows is left out, one with a name is a column, a categorical stays one; None, NaN, NaT and
NA are missing; arrays of one shape are a tensor. What no column can hold is refused by its name.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from distml.errors import DataError

_RAY_TENSORS = ("ray.data.arrow_tensor", "ray.data.arrow_tensor_v2")


def as_table(data: Any) -> Any:
    """A DataFrame or pyarrow Table as a pyarrow Table that Arrow files hold as it is.

    Raises `DataError` for anything else, for names that aren't texts or repeat, and for columns that are no Arrow.
    """
    import pandas as pd
    import pyarrow as pa

    if isinstance(data, pd.DataFrame):
        data = _from_pandas(data)
    elif isinstance(data, pa.RecordBatch):
        data = pa.Table.from_batches([data])
    if not isinstance(data, pa.Table):
        raise DataError(
            "a table from Python is a pandas DataFrame, a pyarrow Table or a Ray Dataset",
            received=f"{type(data).__module__}.{type(data).__qualname__}",
            where="data",
            remedy="convert it, or name a file in data.source",
        )
    _check_names(data.column_names)
    columns = [_plain(name, column) for name, column in zip(data.column_names, data.columns, strict=True)]
    return pa.table(columns, data.column_names)


def _from_pandas(frame: Any) -> Any:
    import pyarrow as pa

    frame = _with_index(frame)
    names = list(frame.columns)
    if not all(isinstance(name, str) for name in names):
        raise DataError(
            "columns are named by texts", received=", ".join(repr(n) for n in names if not isinstance(n, str))[:200],
            where="data", remedy="frame.columns = [str(name) for name in frame.columns]",
        )  # fmt: skip
    _check_names(names)
    return pa.table([_from_series(name, frame[name]) for name in names], names)


def _with_index(frame: Any) -> Any:
    """The frame with its index as columns, where it says more than which row comes when."""
    import pandas as pd

    named = [name for name in frame.index.names if name is not None]
    if len(named) == frame.index.nlevels:
        return frame.reset_index()
    if frame.index.nlevels > 1 or not pd.api.types.is_integer_dtype(frame.index.dtype):
        raise DataError(
            "an index that isn't row numbers has a name, and becomes a column",
            received=", ".join(map(repr, frame.index[:3].tolist())),
            where="data",
            remedy="name it (frame.index.name = ...), or leave it out: frame.reset_index(drop=True)",
        )
    return frame


def _from_series(name: str, values: Any) -> Any:
    import numpy as np
    import pandas as pd
    import pyarrow as pa

    if isinstance(values.dtype, pd.SparseDtype):
        values = values.sparse.to_dense()
    try:
        present = values.dropna() if values.dtype == object else values.iloc[:0]
        if len(present) and isinstance(present.iloc[0], np.ndarray) and present.iloc[0].ndim > 1:
            return _tensors(values.tolist())
        return pa.array(values, from_pandas=True)
    except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
        raise DataError(
            "the values of a column are of one type",
            received=f"{_kinds(values)} ({str(error).splitlines()[0]})",
            where=f"column {name}",
            remedy=f"convert it, as by frame[{name!r}].astype(str), or leave it out",
        ) from None


def _kinds(values: Any) -> str:
    """The types of a column's values, with the first row of each."""
    kinds = values.map(type)
    first = {kind.__name__: row for row, kind in reversed(list(enumerate(kinds)))}
    return ", ".join(f"{kind} in row {row}" for kind, row in sorted(first.items(), key=lambda pair: pair[1]))


def _tensors(arrays: Sequence[Any]) -> Any:
    import numpy as np
    import pyarrow as pa

    if any(array is None for array in arrays):
        raise ValueError("arrays, and None among them")
    stacked = np.stack(arrays)
    return pa.FixedShapeTensorArray.from_numpy_ndarray(np.ascontiguousarray(stacked))


def _check_names(names: Sequence[str]) -> None:
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise DataError(
            "a table's column names differ",
            received=f"{', '.join(map(str, repeated))} more than once",
            where="data",
            remedy="rename them",
        )


def _plain(name: str, column: Any) -> Any:
    """A column whose type any process knows: Ray's tensors become Arrow's."""
    import pyarrow as pa

    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if not isinstance(kind, pa.BaseExtensionType) or isinstance(kind, pa.FixedShapeTensorType):
        return column
    if kind.extension_name in _RAY_TENSORS:
        return _from_ray(column)
    raise DataError(
        "a column holds numbers, texts, truth values, dates, bytes or tensors of one shape",
        received=str(kind),
        where=f"column {name}",
        remedy=f"convert it before, as by frame[{name!r}].astype(str), or leave it out",
    )


def _from_ray(column: Any) -> Any:
    import math

    import pyarrow as pa

    if column.null_count:
        raise DataError("a tensor is in every row", received=f"{column.null_count} rows without", where="data")
    kind = pa.fixed_shape_tensor(column.type.storage_type.value_type, column.type.shape)
    chunks = [
        pa.FixedSizeListArray.from_arrays(chunk.storage.flatten(), math.prod(kind.shape)) for chunk in column.chunks
    ]
    return pa.chunked_array([pa.ExtensionArray.from_storage(kind, chunk) for chunk in chunks], kind)
