"""Rows that stand twice, found from hashes."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from distml.data.duplicates import num_repeats, repeats
from distml.data.parts import Part


def parts_of(*rows: list[int], **more) -> list[Part]:
    hashed = [np.array(some, np.uint64) for some in rows]
    return [Part(name=f"part {i}", table="source", fragment=i, rows=some, **more) for i, some in enumerate(hashed)]


def positions(parts: list[Part]) -> dict[str, list[int]]:
    return {name: found.tolist() for name, found in repeats(parts).items()}


def test_every_row_after_the_first_is_a_repeat():
    assert positions(parts_of([5, 7, 5], [], [9, 7], [7, 7, 1])) == {"part 0": [2], "part 2": [1], "part 3": [0, 1]}


def test_rows_that_stand_once_are_no_repeats():
    assert positions(parts_of([5, 7], [9])) == {}
    assert positions(parts_of([], [])) == positions([]) == {}
    assert num_repeats(parts_of([5, 7], [9]), dropped_in_parts=False) == num_repeats([], dropped_in_parts=False) == 0


@given(st.lists(st.integers(0, 9), max_size=60), st.lists(st.integers(0, 60), max_size=6))
def test_one_of_each_is_left_wherever_parts_begin(rows, cuts):
    pieces = np.split(np.array(rows, np.uint64), sorted(cut for cut in cuts if cut <= len(rows)))
    parts = parts_of(*pieces)
    found = repeats(parts)
    left = np.concatenate([np.delete(part.rows, found.get(part.name, [])) for part in parts])
    assert left.tolist() == list(dict.fromkeys(rows)), "the first of each, in order"
    assert num_repeats(parts, dropped_in_parts=False) == len(rows) - len(set(rows))


@given(st.lists(st.integers(0, 9), max_size=60), st.lists(st.integers(0, 60), max_size=6), st.sets(st.integers(0, 9)))
def test_repeats_are_counted_alike_where_parts_have_dropped_theirs(rows, cuts, in_test):
    """Parts leave out their own repeats, and rows that equal a test row, and tell how many."""
    pieces = np.split(np.array(rows, np.uint64), sorted(cut for cut in cuts if cut <= len(rows)))
    parts = []
    for i, piece in enumerate(pieces):
        once = np.array(list(Counter(piece.tolist())), np.uint64)
        overlaps = np.isin(once, list(in_test))
        parts.append(
            Part(
                name=f"part {i}", table="source", fragment=i, rows=once[~overlaps], overlapping=once[overlaps],
                num_repeated=len(piece) - len(once),
            )
        )  # fmt: skip
    assert num_repeats(parts, dropped_in_parts=True) == len(rows) - len(set(rows))
