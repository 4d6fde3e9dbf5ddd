"""The first layer that tabular networks share: embeddings of the codes beside the numbers."""

from __future__ import annotations

import torch
from torch import nn

from distml.batch import InputSpec


class TabularInput(nn.Module):
    """(numeric [n, f], categorical [n, c]) -> [n, f + sum of embedding widths]."""

    def __init__(self, spec: InputSpec, max_width: int) -> None:
        super().__init__()
        widths = [embedding_width(size, max_width) for size in spec.cardinalities]
        self.embeddings = nn.ModuleList(
            nn.Embedding(size, width) for size, width in zip(spec.cardinalities, widths, strict=True)
        )
        for embedding in self.embeddings:
            assert isinstance(embedding, nn.Embedding)
            nn.init.normal_(embedding.weight, std=0.1)
        self.width = spec.num_numeric + sum(widths)

    def forward(self, numeric: torch.Tensor, categorical: torch.Tensor) -> torch.Tensor:
        parts = [numeric] + [embed(categorical[:, i]) for i, embed in enumerate(self.embeddings)]
        return torch.cat(parts, dim=1)


def embedding_width(cardinality: int, max_width: int) -> int:
    """fastai's rule of thumb, 1.6 * cardinality ** 0.56, bounded.

    >>> embedding_width(2, 32), embedding_width(42, 32), embedding_width(10_000, 32)
    (2, 13, 32)
    """
    return min(max_width, round(1.6 * cardinality**0.56))
