"""A column's values as numbers, and counts of them between given edges."""

from __future__ import annotations

from typing import Any

import numpy as np

from distml.images import brightness, is_tensor


def as_numbers(values: Any) -> np.ndarray:
    """A pyarrow array of numbers, timestamps, images or texts as float64 [n]; null becomes NaN, a timestamp seconds
    since 1970, an image its brightness, a text its length."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if is_tensor(values.type):
        values = brightness(values)
    elif pa.types.is_dictionary(values.type) or pa.types.is_string(values.type):
        values = lengths(values)
    if pa.types.is_timestamp(values.type):
        whole = pc.cast(pc.cast(values, pa.timestamp("us")), pa.int64())
        values = pc.divide(whole.cast(pa.float64(), safe=False), 1e6)  # far from 1970 to the nearest microseconds
    return values.cast(pa.float64()).to_numpy(zero_copy_only=False)


def lengths(texts: Any) -> Any:
    """Characters of a pyarrow array of texts, plain or coded, as a float64 pyarrow array."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(texts.type):
        return pc.utf8_length(texts.dictionary).cast(pa.float64()).take(texts.indices)
    return pc.utf8_length(texts).cast(pa.float64())


def histogram(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Counts below, within and above the bins of given edges, int64 [len(edges) + 1].

    >>> histogram(np.array([-1.0, 0.0, 0.5, 1.0, 2.0]), np.array([0.0, 0.5, 1.0])).tolist()
    [1, 1, 2, 1]
    """
    # A comparison with each of a few edges is many times as fast as a binary search for each value.
    reached = [np.count_nonzero(values >= edge) for edge in edges]
    reached[-1] = np.count_nonzero(values > edges[-1])
    return -np.diff([len(values), *reached, 0]).astype(np.int64)


def decile_edges(quantiles: np.ndarray) -> np.ndarray | None:
    """Distinct, finite histogram edges from quantiles; None without any.

    A single value gets a bin of its own width, so that others are seen beside it.
    """
    edges = np.unique(quantiles[np.isfinite(quantiles)])
    if len(edges) == 1:
        return np.array([edges[0], np.nextafter(edges[0], np.inf)])
    return edges if len(edges) else None
