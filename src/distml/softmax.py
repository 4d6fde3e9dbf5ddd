"""softmax without the wrappers that cost a request more than the numbers do."""

from __future__ import annotations

import numpy as np


def softmax(logits: np.ndarray) -> np.ndarray:
    """exp(x) / sum(exp(x)) over the last axis, float64 [..., k]; a row comes out alike among any others.

    >>> softmax(np.array([[0.0, 0.0], [1000.0, 0.0]])).tolist()
    [[0.5, 0.5], [1.0, 0.0]]
    """
    wide = logits.astype(np.float64)  # a copy, which what follows is written to
    wide -= np.maximum.reduce(wide, axis=-1, keepdims=True)
    np.exp(wide, out=wide)
    wide /= np.add.reduce(wide, axis=-1, keepdims=True)
    return wide
