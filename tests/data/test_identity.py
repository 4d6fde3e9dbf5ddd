"""What rows are told to be the same by."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from distml.data.identity import input_hashes, repeated, whole_hashes
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
