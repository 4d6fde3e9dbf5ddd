"""By what rows are told to be the same: hashes of a whole row, of its features and target alone, of a key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from distml.arrays import is_text
from distml.data.dealing import LAST, backwards
from distml.hashing import combine, hash_column
from distml.schema import Schema

_EXACT = 2.0**53  # up to which a float64 is any whole number
_DIGITS = r"^-?([0-9]{1,18}|[0-8][0-9]{18}|9[01][0-9]{17})$"  # of what an int64 holds for sure


def column_hashes(cleaned: Any, raw: Any, kept: np.ndarray, schema: Schema) -> dict[str, np.ndarray]:
    """Hashes of each column of a cleaned pyarrow table, uint64 [n].

    raw: the table that was cleaned; kept: bool over its rows. Whole numbers too large for a float64 are told apart by
    what they were: identifiers of 64 bits are no copies of each other.
    """
    hashes = {name: hash_column(cleaned.column(name)) for name in cleaned.column_names}
    for name in hashes.keys() & set(raw.column_names):
        if schema[name].kind == "numeric" and schema[name].derived is None:
            _tell_apart(hashes[name], cleaned.column(name), raw.column(name), kept)
    return hashes


def _tell_apart(hashes: np.ndarray, cleaned: Any, raw: Any, kept: np.ndarray) -> None:
    """Puts the hashes of large whole numbers in the place of those of the numbers that they are rounded to."""
    import pyarrow.compute as pc

    bounds = pc.min_max(cleaned).as_py().values()
    if not any(bound is not None and abs(bound) >= _EXACT for bound in bounds):
        return
    numbers = np.abs(cleaned.to_numpy())
    rows = np.flatnonzero((numbers >= _EXACT) & (numbers < 2.0**63))
    whole = _as_whole(raw.take(np.flatnonzero(kept)[rows]))
    as_cleaned = pc.equal(pc.cast(whole, "double", safe=False), cleaned.take(rows))  # not replaced, not clipped
    same = np.flatnonzero(pc.fill_null(as_cleaned, False).to_numpy())
    hashes[rows[same]] = hash_column(whole.take(same))


def _as_whole(values: Any) -> Any:
    """A raw column as int64, null where it is something else."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if pa.types.is_integer(values.type) or pa.types.is_decimal(values.type):
        return values.cast(options=pc.CastOptions.unsafe(pa.int64()))
    if not is_text(values.type):
        return pa.chunked_array([pa.nulls(len(values), pa.int64())])
    texts = pc.utf8_trim_whitespace(values)
    return pc.if_else(pc.match_substring_regex(texts, _DIGITS), texts, None).cast(pa.int64())


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


@dataclass(frozen=True, kw_only=True)
class Key:
    """The columns that name a row, and the one that says which of two is the later, if any does."""

    columns: tuple[str, ...]
    time: str | None = None

    def names(self, table: Any, hashes: Mapping[str, np.ndarray], rows: np.ndarray) -> np.ndarray:
        """What each row of a cleaned table is named, uint64 [n]; by its own hash in `rows` where a value is missing."""
        named = combine({name: hashes[name] for name in self.columns})
        for name in self.columns:
            named = np.where(table.column(name).is_null().to_numpy(), rows, named)
        return named

    def order(self, table: Any) -> np.ndarray:
        """How rows of one name are preferred, uint64 [n], the least first: the latest, those without a time last."""
        if self.time is None:
            return np.zeros(table.num_rows, np.uint64)
        column = table.column(self.time)
        return np.where(column.is_null().to_numpy(), LAST, backwards(column))


def repeated(hashes: np.ndarray) -> np.ndarray:
    """Places of values that stand earlier already, int64 [k], ascending.

    >>> repeated(np.array([7, 8, 7, 7])).tolist()
    [2, 3]
    """
    ascending = np.sort(hashes)
    twice = ascending[1:][ascending[1:] == ascending[:-1]]
    if not len(twice):  # mostly: a sort is cheaper than finding which
        return np.empty(0, np.int64)
    candidates = np.flatnonzero(np.isin(hashes, twice))
    _, first = np.unique(hashes[candidates], return_index=True)
    return np.delete(candidates, first)
