"""From the type that a column came with to the one that the schema gives it."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from distml.arrays import is_text
from distml.config.base import Scalar, as_text
from distml.schema import Column

_WHOLE = r"^(-?[0-9]+)\.0+$"


def as_mask(mask: Any) -> np.ndarray:
    """A pyarrow boolean array as bool [n]; null counts as false."""
    import pyarrow.compute as pc

    if isinstance(mask, np.ndarray):
        return mask
    return pc.fill_null(mask, False).to_numpy(zero_copy_only=False)


def is_number(value: Scalar) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def names_by_number(column: Column) -> bool:
    """Whether texts such as 3.0 are the categories that others write 3: files differ in that, as do programs."""
    return column.kind == "categorical" and column.dtype in ("integer", "number") and column.role != "id"


def plain_number(text: str) -> str:
    """A category's text as it is written where numbers name categories.

    >>> plain_number("3.0"), plain_number("2.5"), plain_number("007")
    ('3', '2.5', '007')
    """
    return re.sub(_WHOLE, r"\1", text)


def cast(column: Column, values: Any) -> tuple[Any, np.ndarray | None]:
    """Values as the column's type, and a mask of those that can't be (None when all can)."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind, wanted = values.type, column.arrow_type
    try:
        if wanted == pa.string():
            texts = as_texts(values)
            if is_text(kind) and names_by_number(column):
                texts = pc.replace_substring_regex(texts, _WHOLE, r"\1")
            is_truth = column.kind == "boolean" or column.dtype == "boolean"
            return _as_truths(column, texts) if is_truth else (texts, None)
        if is_text(kind):
            return _from_texts(values, wanted), None
        if column.kind == "numeric" or pa.types.is_temporal(kind) or pa.types.is_null(kind):
            if pa.types.is_timestamp(kind) and kind.tz:
                values = pc.cast(values, pa.timestamp("us", tz="UTC"), safe=False)
            return pc.cast(values, wanted, safe=False), None
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        if is_text(kind):
            return _cast_leniently(column, values)
    return pa.nulls(len(values), wanted), as_mask(values.is_valid())  # of a type that means nothing here


def _from_texts(values: Any, wanted: Any) -> Any:
    """Texts as numbers or times; times that all say where they are meant are in UTC."""
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        return pc.cast(values, wanted)
    except pa.ArrowInvalid:
        if not pa.types.is_timestamp(wanted):
            raise
        return pc.cast(pc.cast(values, pa.timestamp("us", tz="UTC")), wanted)


def as_texts(values: Any) -> Any:
    """A pyarrow array of texts, numbers or truth values as texts, each as `as_text` writes it; NaN is missing."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_float16(values.type) or (pa.types.is_decimal(values.type) and values.type.scale > 0):
        values = pc.cast(values, pa.float64())
    if pa.types.is_floating(values.type):
        # By `as_text`, so that a category is written alike whether it came as 3, as 3.0 or in a request.
        coded = values.dictionary_encode()
        numbers = [float(str(number)) for number in coded.dictionary.to_numpy()]  # 0.1 is 0.1 also in 32 bits
        texts = [None if np.isnan(number) else as_text(number) for number in numbers]
        return pa.array(texts, pa.string()).take(coded.indices)
    return pc.cast(values, pa.string())


def _as_truths(column: Column, texts: Any) -> tuple[Any, np.ndarray | None]:
    """True, TRUE and 1 as "true". Other texts are wrong in a boolean column, and stay in a categorical one."""
    import pyarrow as pa
    import pyarrow.compute as pc

    place = pc.index_in(pc.utf8_lower(texts), value_set=pa.array(["false", "true", "0", "1"]))
    truths = pa.array(["false", "true", "false", "true"]).take(place)
    if column.kind != "boolean":
        return pc.coalesce(truths, texts), None
    wrong = as_mask(pc.and_(texts.is_valid(), truths.is_null()))
    return truths, wrong if wrong.any() else None


def _cast_leniently(column: Column, values: Any) -> tuple[Any, np.ndarray]:
    import pandas as pd
    import pyarrow as pa

    raw = pd.Series(values.to_numpy(zero_copy_only=False), dtype=object)
    if column.kind == "numeric":
        parsed = pd.to_numeric(raw, errors="coerce").to_numpy(float, na_value=np.nan)
        wrong = np.isnan(parsed) & ~raw.astype(str).str.fullmatch("[-+]?nan", case=False).to_numpy()
        cast = pa.array(parsed, pa.float64(), from_pandas=True)
    else:
        stamps = pd.to_datetime(raw, errors="coerce", utc=True, format="ISO8601").dt.tz_localize(None)
        cast = pa.array(stamps, pa.timestamp("us"), from_pandas=True, safe=False)
        wrong = stamps.isna().to_numpy()
    return cast, wrong & as_mask(values.is_valid())
