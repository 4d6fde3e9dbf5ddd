"""The least of many hashes: how many distinct values there are, and which rows are in a sample."""

from __future__ import annotations

import math

import numpy as np

DISTINCT_SKETCH = 1024


def least_distinct(known: np.ndarray, hashes: np.ndarray) -> np.ndarray:
    """The `DISTINCT_SKETCH` least of the distinct hashes in both, ascending, uint64; `known` is such a result."""
    if len(known) == DISTINCT_SKETCH:
        return np.unique(np.concatenate([known, hashes[hashes < known[-1]]]))[:DISTINCT_SKETCH]
    # Hashes are uniform, so as many as are wanted lie among the least, unless the values repeat.
    few = _below_share(hashes, DISTINCT_SKETCH)
    if few is not None:
        least = np.unique(np.concatenate([known, hashes[few]]))
        if len(least) >= DISTINCT_SKETCH:
            return least[:DISTINCT_SKETCH]
    return np.unique(np.concatenate([known, _distinct(hashes)]))[:DISTINCT_SKETCH]


def estimate_distinct(least: np.ndarray) -> int:
    """Distinct values: exact below `DISTINCT_SKETCH`, else the k-minimum-values estimate (k - 1) / u_k of
    Bar-Yossef et al. (2002), whose relative standard error is about 1 / sqrt(k - 2), 3 %."""
    if len(least) < DISTINCT_SKETCH:
        return len(least)
    return round((DISTINCT_SKETCH - 1) / (float(least[-1]) / 2.0**64))


def first_distinct(hashes: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the first row of each of the `size` smallest distinct hashes, and those hashes."""
    few = _below_share(hashes, size)
    if few is not None:
        distinct, first = np.unique(hashes[few], return_index=True)
        if len(distinct) >= size:
            return few[first[:size]], distinct[:size]
    distinct, first = np.unique(hashes, return_index=True)
    return first[:size], distinct[:size]


def _below_share(hashes: np.ndarray, count: int) -> np.ndarray | None:
    """Positions of the hashes below a bound that `count` of as many uniform ones nearly always lie below.

    None where that is most of them.
    """
    wanted = count + 8 * math.sqrt(count)
    if len(hashes) < 4 * wanted:
        return None
    return np.flatnonzero(hashes < np.uint64(2.0**64 * wanted / len(hashes)))


def _distinct(hashes: np.ndarray) -> np.ndarray:
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.unique(pa.array(hashes)).to_numpy()  # by a hash table, where numpy sorts
