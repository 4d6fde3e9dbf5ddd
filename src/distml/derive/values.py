"""What an expression computes with: a column of values under way, its missing ones, and those that arithmetic lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from distml.config.base import Kind, as_text
from distml.schema import Column


@dataclass(frozen=True)
class Value:
    """A column [n], or a constant without a length.

    data: numbers and truths (1 and 0) are float64, missing NaN; dates datetime64[us], missing NaT; texts a pyarrow
    string array, or a str. lost: where there was no finite result, so that the value is missing though nothing that
    it was made from is.
    """

    kind: Kind
    data: Any
    lost: Any = False

    @property
    def is_null(self) -> Any:
        """Where the value is missing: bool [n], or one for a constant."""
        if self.kind == "categorical":
            if self.data is None or isinstance(self.data, str):
                return np.bool_(self.data is None)
            return self.data.is_null().to_numpy(zero_copy_only=False)
        return np.isnat(self.data) if self.kind == "datetime" else np.isnan(self.data)


def null_of(kind: Kind) -> Value:
    """The missing constant of a kind."""
    data = {"categorical": None, "datetime": np.datetime64("NaT", "us")}.get(kind, np.float64(np.nan))
    return Value(kind, data)


def read(column: Column, values: Any) -> Value:
    """A cleaned column, a pyarrow array [n] of texts, codes of texts, numbers or dates."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if column.kind == "numeric":
        return Value("numeric", values.to_numpy(zero_copy_only=False).astype(np.float64, copy=False))
    if column.kind == "datetime":
        return Value("datetime", values.to_numpy(zero_copy_only=False).astype("datetime64[us]", copy=False))
    if column.kind == "boolean":
        truths = pc.equal(values, pa.scalar("true", values.type))
        return Value("boolean", pc.cast(truths, pa.float64()).to_numpy(zero_copy_only=False))
    return Value("categorical", values)


def write(value: Value, n: int) -> Any:
    """The value as a cleaned column, a pyarrow array [n] of the type that its kind has."""
    import pyarrow as pa

    if value.kind == "categorical":
        is_one = value.data is None or isinstance(value.data, str)
        return pa.array([value.data] * n, pa.string()) if is_one else value.data
    data = value.data if np.ndim(value.data) else np.full(n, value.data)
    if value.kind == "numeric":
        return pa.array(data, pa.float64(), from_pandas=True)
    if value.kind == "datetime":
        return pa.array(data, pa.timestamp("us"))
    codes = pa.array(data, pa.float64(), from_pandas=True).cast(pa.int8())
    return pa.array(["false", "true"]).take(codes)


def as_texts(value: Value) -> Any:
    """The value as texts, a pyarrow string array or a str; numbers as categories are written: 3, 2.5."""
    import pyarrow as pa

    if value.kind == "categorical":
        return value.data
    if value.kind == "boolean":
        return write(value, len(value.data)) if np.ndim(value.data) else as_text(bool(value.data))
    if not np.ndim(value.data):
        return as_text(float(value.data))
    distinct, codes = np.unique(value.data, return_inverse=True)  # NaN comes last, and once
    texts = pa.array([None if np.isnan(number) else as_text(number) for number in distinct.tolist()], pa.string())
    return texts.take(pa.array(codes))
