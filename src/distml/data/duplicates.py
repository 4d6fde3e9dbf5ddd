"""Rows that stand twice: within the source, within the test table, in both. All from hashes, no row is looked at."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from distml.data.passes import Part


def repeats(parts: Sequence[Part]) -> dict[str, np.ndarray]:
    """Part key -> positions of rows that stand earlier in the table."""
    if not parts:
        return {}
    rows = np.concatenate([part.rows for part in parts])
    _, first = np.unique(rows, return_index=True)
    is_repeat = np.ones(len(rows), bool)
    is_repeat[first] = False
    return _by_part(parts, is_repeat)


def num_copies_in_test(parts: Sequence[Part]) -> int:
    rows = [part.rows for part in parts if part.table == "test"]
    return sum(map(len, rows)) - len(np.unique(np.concatenate(rows))) if rows else 0


def overlaps(parts: Sequence[Part]) -> dict[str, np.ndarray]:
    """Part key -> positions of source rows whose features and target equal a test row's."""
    source = [part for part in parts if part.table == "source"]
    test = [part.inputs for part in parts if part.table == "test"]
    if not test or not source:
        return {}
    shared = np.isin(np.concatenate([part.inputs for part in source]), np.concatenate(test))
    return _by_part(source, shared)


def _by_part(parts: Sequence[Part], mask: np.ndarray) -> dict[str, np.ndarray]:
    bounds = np.cumsum([part.num_rows for part in parts])[:-1]
    pieces = np.split(mask, bounds)
    return {part.key: np.flatnonzero(piece) for part, piece in zip(parts, pieces, strict=True) if piece.any()}
