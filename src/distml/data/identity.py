"""By what rows are told to be the same: hashes of a whole row, and of its features and target alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from distml.hashing import combine, hash_column
from distml.schema import Schema


def whole_hashes(hashes: Mapping[str, np.ndarray], raw: Any, kept: np.ndarray, schema: Schema) -> np.ndarray:
    """Hashes of whole rows, uint64 [n]: cleaned values, and excluded columns as they were, where the table has them.

    hashes: of each cleaned column, uint64 [n]; raw: the pyarrow table that was cleaned; kept: bool over its rows.
    Derived columns say nothing that the others don't.
    """
    derived = {column.name for column in schema.derived}
    rows = combine({name: hashed for name, hashed in hashes.items() if name not in derived})
    for column in schema.of_role("excluded"):
        if column.name in raw.column_names:
            rows = rows * np.uint64(31) + hash_column(raw.column(column.name))[kept]
    return rows


def input_hashes(hashes: Mapping[str, np.ndarray], schema: Schema) -> np.ndarray:
    """Hashes of features and target alone, uint64 [n]: what a row of a test table may have in common with another."""
    inputs = [column.name for column in (*schema.features, schema.target) if column.derived is None]
    return combine({name: hashes[name] for name in inputs})


def repeated(hashes: np.ndarray) -> np.ndarray:
    """Places of values that stand earlier already, int64 [k], ascending.

    >>> repeated(np.array([7, 8, 7, 7])).tolist()
    [2, 3]
    """
    ascending = np.sort(hashes)
    if not (ascending[1:] == ascending[:-1]).any():  # mostly: a sort is cheaper than finding which
        return np.empty(0, np.int64)
    _, first = np.unique(hashes, return_index=True)
    later = np.ones(len(hashes), bool)
    later[first] = False
    return np.flatnonzero(later)
