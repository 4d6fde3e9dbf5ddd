"""Bin edges of numeric columns, learned of the training rows: arrays only, so that families are known without torch."""

from __future__ import annotations

from typing import Any

import numpy as np

from distml.batch import FeatureBatch
from distml.models.base import ModelSpec

EMBEDDINGS = ("none", "ple", "plr")  # of numbers: `numbers_input` says what they are
_MAX_ROWS = 50_000  # of which quantiles are taken: 1,000 rows a bin and more
_NARROWEST = 1e-5  # of a column's range: slopes within narrower bins drown in float32


def learn_bins(spec: ModelSpec, train: FeatureBatch) -> dict[str, Any]:
    """`bins`: for each numeric column the edges of at most `num_bins` quantile bins, null for one with fewer than two.

    Section 3.2.1 of "On Embeddings for Numerical Features in Tabular Deep Learning" (Gorishniy et al., 2022), as
    rtdl_num_embeddings.compute_bins has it. That refuses columns of one value, and rows beyond 2**24. Edges are values
    that occur, so that a column of two values has no edge between them.
    """
    if spec.params["numeric_embedding"] != "ple":
        return {}
    numeric = train.numeric[:: -(-len(train) // _MAX_ROWS) or 1]
    return {"bins": [_edges(column, spec.params["num_bins"]) for column in numeric.T]}


def _edges(column: np.ndarray, num_bins: int) -> list[float] | None:
    """A column's bin edges, ascending float32 values; None where a single bin would do."""
    if not len(column):
        return None
    edges = np.unique(np.quantile(column, np.linspace(0, 1, num_bins + 1), method="inverted_cdf"))
    wide_enough = np.diff(edges, prepend=-np.inf) > _NARROWEST * (edges[-1] - edges[0])
    kept = edges[wide_enough]
    return [float(edge) for edge in kept] if len(kept) > 2 else None
