"""Rows in whole groups, so that a row's scores don't depend on the rows beside it."""

from __future__ import annotations

import numpy as np


def whole_groups(array: np.ndarray, group: int) -> np.ndarray:
    """[n, ...] with rows of zeros added until n is a multiple of the group.

    >>> whole_groups(np.array([[1], [2], [3]]), 2).tolist()
    [[1], [2], [3], [0]]
    """
    missing = -len(array) % group
    return np.concatenate([array, np.zeros((missing, *array.shape[1:]), array.dtype)]) if missing else array
