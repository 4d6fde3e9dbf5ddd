"""What rows are told to be the same by."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distml.data.identity import column_hashes, input_hashes, repeated, whole_hashes
from distml.hashing import hash_column
from distml.schema import Column, Schema

SCHEMA = Schema(
    (
        Column(name="x", kind="numeric", dtype="integer"),
        Column(name="twice", kind="numeric", dtype="integer", derived="x * 2", uses=("x",)),
        Column(name="y", kind="numeric", dtype="integer", role="target"),
        Column(name="row", kind="categorical", dtype="integer", role="id"),
        Column(name="note", kind="categorical", dtype="string", role="excluded"),
    )
)


def hashes(**columns: list[int]) -> dict[str, np.ndarray]:
    return {name: hash_column(pa.array(values)) for name, values in columns.items()}


@given(st.lists(st.integers(0, 5)))
def test_a_repeat_is_a_value_that_stands_earlier(values):
    expected = [i for i, value in enumerate(values) if value in values[:i]]
    assert repeated(np.array(values, np.uint64)).tolist() == expected


def test_whole_rows_differ_by_what_is_excluded_but_not_by_what_is_derived():
    raw = pa.table({"x": [1, 1, 1], "y": [0, 0, 0], "row": [7, 7, 7], "note": ["a", "a", "b"]})
    kept = np.ones(3, bool)
    rows = whole_hashes(hashes(x=[1, 1, 1], twice=[2, 3, 2], y=[0, 0, 0], row=[7, 7, 7]), raw, kept, SCHEMA)
    assert rows[0] == rows[1] != rows[2]


def test_inputs_are_features_and_target_alone():
    cleaned = hashes(x=[1, 1, 2], twice=[2, 3, 4], y=[0, 0, 0], row=[7, 8, 7])
    found = input_hashes(cleaned, SCHEMA)
    assert found[0] == found[1] != found[2]


@pytest.mark.parametrize("kind", [pa.int64(), pa.uint64(), pa.string(), pa.large_string(), pa.decimal128(38, 0)])
@pytest.mark.parametrize("coded", [False, True])
def test_identifiers_of_64_bits_are_told_apart(kind, coded):
    values = [2**60, 2**60 + 1, 2**53 + 1, 2**53, 5, None, 2**60 + 1]
    column = pa.array(values, pa.int64()).cast(kind)
    raw = pa.table({"x": column.dictionary_encode() if coded else column, "more": range(7)})
    kept = np.array([True, True, True, True, True, True, False])
    cleaned = pa.table({"x": pa.array([None if v is None else float(v) for v in values[:6]], pa.float64())})
    found = column_hashes(cleaned, raw, kept, SCHEMA)["x"]
    assert found.tolist() == hash_column(pa.array(values[:6], pa.int64())).tolist()
    assert len(set(found.tolist())) == 6


@pytest.mark.parametrize("raw", [[2.0**60, 7e20], ["1.152921504606846976e18", "700000000000000000000"], [None, "x"]])
def test_what_is_no_identifier_has_the_hash_of_its_number(raw):
    cleaned = pa.table({"x": [2.0**60, 7e20]})
    found = column_hashes(cleaned, pa.table({"x": raw}), np.ones(2, bool), SCHEMA)["x"]
    assert found.tolist() == hash_column(cleaned.column("x")).tolist()
