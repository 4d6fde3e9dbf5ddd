from __future__ import annotations

from functools import reduce

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from distml.inspection.counts import NUM_TAIL, NumberCounts, TextCounts

parts = st.lists(st.lists(st.integers(-5, 60).map(float), max_size=40), min_size=1, max_size=6)


@given(parts)
def test_number_counts_are_the_same_whatever_the_parts(found):
    whole = NumberCounts.of(np.array([v for part in found for v in part]), 1000)
    merged = reduce(NumberCounts.merge, [NumberCounts.of(np.array(part), 1000) for part in found])
    assert merged.values.tolist() == whole.values.tolist()
    assert merged.rows.tolist() == whole.rows.tolist()
    assert (merged.present, merged.is_whole) == (whole.present, True)


def test_the_ends_stay_exact_where_values_are_too_many():
    rng = np.random.default_rng(0)
    numbers = np.append(rng.integers(0, 1_000_000, 20_000).astype(float), [2e6] * 7)
    pieces = np.array_split(rng.permutation(numbers), 9)
    merged = reduce(NumberCounts.merge, [NumberCounts.of(piece, 3000) for piece in pieces])
    values, rows = np.unique(numbers, return_counts=True)
    assert not merged.is_whole and merged.present == len(numbers)
    assert merged.low[0].tolist() == values[:NUM_TAIL].tolist() and merged.low[1].tolist() == rows[:NUM_TAIL].tolist()
    assert merged.high[0].tolist() == values[-NUM_TAIL:].tolist()
    assert merged.high[1].tolist() == rows[-NUM_TAIL:].tolist() and merged.high[1][-1] == 7


def test_text_counts_past_the_most_are_none():
    merged = TextCounts.of(pa.array(list("aab")), 3).merge(TextCounts.of(pa.array(list("bc")), 3))
    assert merged.rows == {"a": 2, "b": 2, "c": 1}
    past = merged.merge(TextCounts.of(pa.array(["d"]), 3))
    assert (past.rows, past.is_whole, past.present) == ({}, False, 6)
