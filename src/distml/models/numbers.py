"""How networks take numbers in: as they are, or each as an embedding of its own.

rtdl_num_embeddings is imported where it is used: it loads scikit-learn, which takes a second.
"""

from __future__ import annotations

import torch
from torch import nn

from distml.models.base import ModelSpec


def numbers_input(spec: ModelSpec) -> Numbers:
    """The layer that `numeric_embedding` names: `none`, `ple` (piecewise linear) or `plr` (periodic, linear, ReLU).

    Bins are those that the spec has learned.
    """
    num_columns = spec.input.num_numeric
    kind = spec.params.get("numeric_embedding", "none")
    if kind == "ple" and any(spec.learned["bins"]):
        return BinnedNumbers(spec.learned["bins"], spec.params["numeric_width"])
    if kind == "plr" and num_columns:
        return PeriodicNumbers(num_columns, spec.params["numeric_width"], spec.params["frequency_scale"])
    return PlainNumbers(num_columns)


class Numbers(nn.Module):
    """Numbers [n, f] -> [n, sum(widths)]; `widths` says how many numbers each column became."""

    widths: list[int]
    is_embedded = True


class PlainNumbers(Numbers):
    """Numbers as they are."""

    is_embedded = False

    def __init__(self, num_columns: int) -> None:
        super().__init__()
        self.widths = [1] * num_columns

    def forward(self, numeric: torch.Tensor) -> torch.Tensor:
        return numeric


class BinnedNumbers(Numbers):
    """Columns that have bins piecewise linearly embedded, and after them the others as they are.

    bins: edges by column, None for one without. Version B of the embeddings, which the TabM paper has.
    """

    binned: torch.Tensor
    plain: torch.Tensor

    def __init__(self, bins: list[list[float] | None], width: int) -> None:
        from rtdl_num_embeddings import PiecewiseLinearEmbeddings

        super().__init__()
        binned = [i for i, edges in enumerate(bins) if edges is not None]
        plain = [i for i, edges in enumerate(bins) if edges is None]
        edges = [torch.tensor(bins[i]) for i in binned]
        self.embeddings = PiecewiseLinearEmbeddings(edges, width, activation=False, version="B")
        self.register_buffer("binned", torch.tensor(binned), persistent=False)
        self.register_buffer("plain", torch.tensor(plain, dtype=torch.int64), persistent=False)
        self.widths = [width] * len(binned) + [1] * len(plain)

    def forward(self, numeric: torch.Tensor) -> torch.Tensor:
        if not len(self.plain):
            return self.embeddings(numeric).flatten(1)
        embedded = self.embeddings(numeric[:, self.binned]).flatten(1)
        return torch.cat([embedded, numeric[:, self.plain]], dim=1)


class PeriodicNumbers(Numbers):
    """Every column through sines and cosines of frequencies that are trained, a linear layer that all share, and ReLU.

    The `lite` variant, of the TabR paper. scale: of the frequencies before they are trained.
    """

    def __init__(self, num_columns: int, width: int, scale: float) -> None:
        from rtdl_num_embeddings import PeriodicEmbeddings

        super().__init__()
        self.embeddings = PeriodicEmbeddings(num_columns, width, frequency_init_scale=scale, lite=True)
        self.widths = [width] * num_columns

    def forward(self, numeric: torch.Tensor) -> torch.Tensor:
        return self.embeddings(numeric).flatten(1)
