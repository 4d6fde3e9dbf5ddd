"""A stable 64-bit hash of every row: what a row is called, wherever it lies.

Splits, duplicates, samples and overlaps are all decided by this number, so they come out the same whatever the
partitioning. It depends on values alone: not on the order of columns, chunks or dictionary codes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from distml.arrays import is_any_text, whole

_NULL = np.uint64(0x9E3779B97F4A7C15)
_STEPS = ((np.uint64(30), np.uint64(0xBF58476D1CE4E5B9)), (np.uint64(27), np.uint64(0x94D049BB133111EB)))
_LAST = np.uint64(31)
_BLOCK = 1 << 15  # values that stay in a core's cache through all steps, about three times as fast as all at once


def mix(values: np.ndarray) -> np.ndarray:
    """Steele et al.'s SplitMix64 finaliser (OOPSLA 2014): a bijection of uint64 that avalanches.

    values: uint64 [n]; returns uint64 [n].
    """
    values = np.asarray(values, np.uint64)
    mixed = np.empty_like(values)
    scratch = np.empty(min(_BLOCK, len(values)), np.uint64)
    for start in range(0, len(values), _BLOCK):
        z = mixed[start : start + _BLOCK]
        shifted = scratch[: len(z)]
        np.add(values[start : start + _BLOCK], _NULL, out=z)  # integers of numpy's arrays wrap without a warning
        for shift, factor in _STEPS:
            np.right_shift(z, shift, out=shifted)
            np.bitwise_xor(z, shifted, out=z)
            np.multiply(z, factor, out=z)
        np.right_shift(z, _LAST, out=shifted)
        np.bitwise_xor(z, shifted, out=z)
    return mixed


def hash_column(column: Any) -> np.ndarray:
    """Hashes of a pyarrow array's values, uint64 [n]; equal values hash alike, also 3 and 3.0."""
    import pyarrow as pa
    import pyarrow.compute as pc

    column = whole(column)
    kind = column.type
    if pa.types.is_null(kind):
        return np.full(len(column), _NULL)
    if pa.types.is_dictionary(kind):
        return _hash_codes(column)
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind):
        hashes, missing = _hash_numbers(column)
    elif pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        stamps = pc.cast(column, pa.timestamp("us"), safe=False)
        hashes = mix(pc.fill_null(pc.cast(stamps, pa.int64()), 0).to_numpy().view(np.uint64))
        missing = None
    elif isinstance(kind, pa.FixedShapeTensorType) and kind.storage_type.list_size and kind.value_type.bit_width >= 8:
        return _hash_tensors(column)
    else:
        return _hash_codes(_encoded(column))
    if column.null_count:
        nulls = column.is_null().to_numpy(zero_copy_only=False)
        missing = nulls if missing is None else missing | nulls
    if missing is not None:
        hashes[missing] = _NULL
    return hashes


def _hash_numbers(column: Any) -> tuple[np.ndarray, np.ndarray | None]:
    """Hashes of numbers, and where a NaN is, if anywhere; nulls hash like 0."""
    import pyarrow as pa
    import pyarrow.compute as pc

    numbers = pc.cast(column, pa.float64(), safe=False)
    if numbers.null_count:
        numbers = pc.fill_null(numbers, 0.0)
    numbers = numbers.to_numpy(zero_copy_only=False) + 0.0  # -0.0 becomes 0.0
    if not len(numbers):
        return np.empty(0, np.uint64), None
    low, high = numbers.min(), numbers.max()
    missing = np.isnan(numbers) if np.isnan(low) else None
    if missing is None and low > -(2.0**53) and high < 2.0**53:
        return mix(numbers.view(np.uint64)), None
    return mix(_exact_bits(column, numbers)), missing


def _exact_bits(column: Any, numbers: np.ndarray) -> np.ndarray:
    """A number column's float64 [n] as uint64 [n]: their bits, or the integer's where a float may round it."""
    import pyarrow as pa
    import pyarrow.compute as pc

    is_large = np.abs(numbers) >= 2.0**53
    if pa.types.is_floating(column.type):
        is_large &= np.abs(numbers) < 2.0**63
        integers = np.where(is_large, numbers, 0.0).astype(np.int64)
    else:
        integers = pc.cast(pc.fill_null(column, 0), pa.int64(), safe=False).to_numpy()
    return np.where(is_large, mix(integers.view(np.uint64)), numbers.view(np.uint64))


def _hash_tensors(column: Any) -> np.ndarray:
    """Hashes of tensors of one shape, from their bytes as words, each mixed with its place."""
    hashes = np.full(len(column), _NULL)
    num_present = len(column) - column.null_count
    if num_present:
        flat = column.storage.flatten().to_numpy().view(np.uint8).reshape(num_present, -1)  # without nulls
        hashed = np.full(num_present, flat.shape[1], np.uint64)
        step = max(1, _BLOCK * 8 // flat.shape[1])  # rows that stay in a core's cache
        places = mix(np.arange(-(-flat.shape[1] // 8), dtype=np.uint64))
        for start in range(0, num_present, step):
            words = _as_words(flat[start : start + step]) ^ places
            hashed[start : start + step] += mix(words.reshape(-1)).reshape(words.shape).sum(axis=1, dtype=np.uint64)
        hashes[column.is_valid().to_numpy(zero_copy_only=False)] = mix(hashed)
    return hashes


def _as_words(flat: np.ndarray) -> np.ndarray:
    """uint8 [n, k] as uint64 [n, k / 8], zeros after each row's last byte."""
    missing = -flat.shape[1] % 8
    padded = np.pad(flat, ((0, 0), (0, missing))) if missing else np.ascontiguousarray(flat)
    return padded.view("<u8")


def _encoded(column: Any) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if pa.types.is_run_end_encoded(kind):
        return pc.run_end_decode(column).dictionary_encode()
    if pa.types.is_nested(kind) or pa.types.is_interval(kind):  # pyarrow can't tell distinct ones
        column = pa.array([None if value is None else repr(value) for value in column.to_pylist()], pa.string())
    return column.dictionary_encode()


def _hash_codes(coded: Any) -> np.ndarray:
    """Hashes of a dictionary array, from those of its distinct values; SipHash for texts."""
    import pandas as pd
    import pyarrow as pa

    words = coded.dictionary
    if not (is_any_text(words.type) or "binary" in str(words.type) or _is_told_by_text(words.type)):
        hashed = hash_column(words)
    elif len(words):
        words = words if "binary" in str(words.type) else words.cast(pa.string())
        # pandas pins its values in its own tests.
        hashed = pd.util.hash_array(words.to_numpy(zero_copy_only=False).astype(object), categorize=False)
        hashed[words.is_null().to_numpy(zero_copy_only=False)] = _NULL
    else:
        hashed = np.empty(0, np.uint64)
    codes = coded.indices
    if codes.null_count:
        codes = codes.cast(pa.int64()).fill_null(len(hashed))
    return np.append(hashed, _NULL)[codes.to_numpy(zero_copy_only=False)]


def _is_told_by_text(kind: Any) -> bool:
    import pyarrow as pa

    return pa.types.is_decimal(kind) or pa.types.is_time(kind) or pa.types.is_duration(kind)


def row_hashes(table: Any) -> np.ndarray:
    """The hash of each row of a pyarrow table, uint64 [n], whatever the order of its columns.

    >>> import pyarrow as pa
    >>> a = row_hashes(pa.table({"x": [1, 1, 2], "y": ["a", "a", "a"]}))
    >>> b = row_hashes(pa.table({"y": ["a"], "x": [2.0]}))
    >>> bool(a[0] == a[1]), bool(a[2] == b[0]), bool(a[1] == a[2])
    (True, True, False)
    """
    hashes = {name: hash_column(table.column(name)) for name in table.column_names}
    return combine(hashes) if hashes else mix(np.zeros(table.num_rows, np.uint64))


def combine(hashes: Mapping[str, np.ndarray]) -> np.ndarray:
    """Row hashes from those of at least one column by name, each uint64 [n]."""
    # A sum of well-mixed terms commutes, so the order of columns does not matter.
    total = None
    for name, hashed in hashes.items():
        term = mix(hashed ^ hash_text(name))
        total = term if total is None else np.add(total, term, out=total)
    assert total is not None, "rows without columns"
    return mix(total)


def hash_text(text: str) -> np.uint64:
    """The hash of a text that is no value of a column: a column's name, a file's place."""
    return np.uint64(int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little"))
