"""A stable 64-bit hash of every row: what a row is called, wherever it lies.

Splits, duplicates, samples and overlaps are all decided by this number, so they come out the same whatever the
partitioning. It depends on values alone: not on the order of columns, chunks or dictionary codes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

_MASK = np.uint64(0xFFFFFFFFFFFFFFFF)
_NULL = np.uint64(0x9E3779B97F4A7C15)


def mix(values: np.ndarray) -> np.ndarray:
    """Steele et al.'s SplitMix64 finaliser (OOPSLA 2014): a bijection of uint64 that avalanches.

    values: uint64 [n]; returns uint64 [n].
    """
    with np.errstate(over="ignore"):
        z = values.astype(np.uint64) + _NULL
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def hash_column(column: Any) -> np.ndarray:
    """Hashes of a pyarrow array's values, uint64 [n]; equal values hash alike, also 3 and 3.0."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if pa.types.is_null(kind):
        return np.full(len(column), _NULL)
    if pa.types.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
    nulls = column.is_null().to_numpy(zero_copy_only=False) if isinstance(column, pa.Array) else None
    if nulls is None:
        nulls = column.is_null().to_numpy()
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind):
        numbers = pc.fill_null(pc.cast(column, pa.float64(), safe=False), 0.0).to_numpy() + 0.0  # -0.0 becomes 0.0
        nulls = nulls | np.isnan(numbers)
        hashes = mix(_bits(column, np.ascontiguousarray(numbers)))
    elif pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        stamps = pc.cast(column, pa.timestamp("us"), safe=False)
        hashes = mix(pc.fill_null(pc.cast(stamps, pa.int64()), 0).to_numpy().view(np.uint64))
    else:
        hashes = _hash_texts(column)
    return np.where(nulls, _NULL, hashes)


def _bits(column: Any, numbers: np.ndarray) -> np.ndarray:
    """A number column's float64 [n] as uint64 [n]: their bits, or the integer's where a float may round it."""
    import pyarrow as pa
    import pyarrow.compute as pc

    is_large = np.abs(numbers) >= 2.0**53
    if not is_large.any():
        return numbers.view(np.uint64)
    if pa.types.is_floating(column.type):
        is_large &= np.abs(numbers) < 2.0**63
        whole = np.where(is_large, numbers, 0.0).astype(np.int64)
    else:
        whole = pc.cast(pc.fill_null(column, 0), pa.int64(), safe=False).to_numpy()
    return np.where(is_large, mix(whole.view(np.uint64)), numbers.view(np.uint64))


def _hash_texts(column: Any) -> np.ndarray:
    import pandas as pd
    import pyarrow as pa

    if pa.types.is_nested(column.type):  # pyarrow can't tell distinct lists or structs
        column = pa.array([None if value is None else repr(value) for value in column.to_pylist()], pa.string())
    encoded = column.dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.unify_dictionaries().combine_chunks()
        if isinstance(encoded, pa.ChunkedArray):  # no chunks at all
            return np.empty(0, np.uint64)
    words = encoded.dictionary
    if "binary" not in str(words.type):
        words = words.cast(pa.string())
    words = words.to_numpy(zero_copy_only=False)
    if not len(words):
        return np.zeros(len(column), np.uint64)
    # SipHash over the distinct texts; pandas pins its values in its own tests.
    hashed = pd.util.hash_array(words.astype(object), categorize=False)
    codes = encoded.indices.fill_null(0).to_numpy(zero_copy_only=False)
    return hashed[codes]


def row_hashes(table: Any) -> np.ndarray:
    """The hash of each row of a pyarrow table, uint64 [n], whatever the order of its columns.

    >>> import pyarrow as pa
    >>> a = row_hashes(pa.table({"x": [1, 1, 2], "y": ["a", "a", "a"]}))
    >>> b = row_hashes(pa.table({"y": ["a"], "x": [2.0]}))
    >>> bool(a[0] == a[1]), bool(a[2] == b[0]), bool(a[1] == a[2])
    (True, True, False)
    """
    total = np.zeros(table.num_rows, np.uint64)
    with np.errstate(over="ignore"):
        for name in table.column_names:
            salt = _name_hash(name)
            # A sum of well-mixed terms commutes, so the order of columns does not matter.
            total += mix(hash_column(table.column(name)) ^ salt)
    return mix(total)


def _name_hash(name: str) -> np.uint64:
    import hashlib

    return np.uint64(int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little"))
