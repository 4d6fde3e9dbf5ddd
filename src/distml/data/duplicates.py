"""Rows that stand twice: within the source, within the test table. All from hashes, no row is looked at."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from distml.data.parts import Part


def repeats(parts: Sequence[Part]) -> dict[str, np.ndarray]:
    """Part name -> positions of rows that stand earlier, in that part or one before."""
    if not parts:
        return {}
    rows = np.concatenate([part.rows for part in parts])
    ascending = np.sort(rows)
    again = np.unique(ascending[1:][ascending[1:] == ascending[:-1]])
    if not len(again):
        return {}
    candidates = np.flatnonzero(np.isin(rows, again))
    _, first = np.unique(rows[candidates], return_index=True)
    is_repeat = np.zeros(len(rows), bool)
    is_repeat[np.delete(candidates, first)] = True
    bounds = np.cumsum([part.num_rows for part in parts])[:-1]
    pieces = np.split(is_repeat, bounds)
    return {part.name: np.flatnonzero(piece) for part, piece in zip(parts, pieces, strict=True) if piece.any()}


def num_repeats(parts: Sequence[Part], *, dropped_in_parts: bool) -> int:
    """Rows that stand earlier in a table, those that equal a test row and are left out too counted among them."""
    if not parts:
        return 0
    rows = np.sort(np.concatenate([hashes for part in parts for hashes in (part.rows, part.overlapping)]))
    within = sum(part.num_repeated for part in parts) if dropped_in_parts else 0
    return within + int(np.count_nonzero(rows[1:] == rows[:-1]))
