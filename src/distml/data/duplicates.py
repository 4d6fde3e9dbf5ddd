"""Rows that stand twice, wholly or by a key, in one table. All from hashes, no row is looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from distml.data.identity import repeated
from distml.data.parts import Part


def repeats(parts: Sequence[Part]) -> dict[str, np.ndarray]:
    """Part name -> positions of rows that stand earlier, in that part or one before."""
    if not parts:
        return {}
    rows = np.concatenate([part.rows for part in parts])
    is_repeat = np.zeros(len(rows), bool)
    is_repeat[repeated(rows)] = True
    return _by_part(is_repeat, parts)


def same_names(parts: Sequence[Part], left_out: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Part name -> positions of rows of whose name a preferred one is there, among those that aren't left out anyway.

    Of rows that are preferred alike the one of the least hash is kept, so that it is the same in any order.
    """
    parts = [part for part in parts if part.num_rows]
    if not parts or any(part.names is None for part in parts):
        return {}
    names, order, rows = (np.concatenate([getattr(part, of) for part in parts]) for of in ("names", "order", "rows"))
    left = np.ones(len(rows), bool)
    for start, part in zip(np.cumsum([0, *(part.num_rows for part in parts)]), parts, strict=False):
        left[start + left_out.get(part.name, np.empty(0, np.int64))] = False
    places = np.flatnonzero(left)
    places = places[np.lexsort((rows[places], order[places], names[places]))]
    again = np.zeros(len(rows), bool)
    again[places[1:][names[places][1:] == names[places][:-1]]] = True
    return _by_part(again, parts)


def _by_part(chosen: np.ndarray, parts: Sequence[Part]) -> dict[str, np.ndarray]:
    """Part name -> positions of its chosen rows, of a mask over the rows of all parts."""
    pieces = np.split(chosen, np.cumsum([part.num_rows for part in parts])[:-1])
    return {part.name: np.flatnonzero(piece) for part, piece in zip(parts, pieces, strict=True) if piece.any()}


def num_repeats(parts: Sequence[Part], *, dropped_in_parts: bool) -> int:
    """Rows that stand earlier in a table, those that equal a test row and are left out too counted among them."""
    if not parts:
        return 0
    rows = np.sort(np.concatenate([hashes for part in parts for hashes in (part.rows, part.overlapping)]))
    within = sum(part.num_repeated for part in parts) if dropped_in_parts else 0
    return within + int(np.count_nonzero(rows[1:] == rows[:-1]))
