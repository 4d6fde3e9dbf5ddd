"""The first layers that networks share: embeddings of the codes beside the numbers, and images as numbers."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from distml.batch import InputSpec, TensorSpec

Tensors = Mapping[str, torch.Tensor]  # name -> [n, ch, h, w], of pixels 0 to 255, uint8 or float


class PixelInput(nn.Module):
    """Pixels [n, ch, h, w] -> (pixel - mean) / std of its channel, float32 [n, ch, h, w].

    The constants are the spec's and so JSON, not weights.
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, spec: TensorSpec) -> None:
        super().__init__()
        per_channel = (len(spec.mean), 1, 1)
        self.register_buffer("mean", torch.tensor(spec.mean).reshape(per_channel), persistent=False)
        # A channel that never varies tells nothing, whatever it is divided by.
        std = [value or 1.0 for value in spec.std]
        self.register_buffer("std", torch.tensor(std).reshape(per_channel), persistent=False)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return (pixels.to(torch.float32) - self.mean) / self.std


class FlatPixels(nn.Module):
    """All of a row's images, normalised, as numbers [n, num_pixels]."""

    def __init__(self, spec: InputSpec) -> None:
        super().__init__()
        self.names = tuple(spec.tensors)
        self.inputs = nn.ModuleList(PixelInput(tensor) for tensor in spec.tensors.values())

    def forward(self, tensors: Tensors) -> list[torch.Tensor]:
        return [layer(tensors[name]).flatten(1) for name, layer in zip(self.names, self.inputs, strict=True)]


class TabularInput(nn.Module):
    """(numeric [n, f], categorical [n, c], tensors) -> [n, f + sum of embedding widths + num_pixels]."""

    def __init__(self, spec: InputSpec, max_width: int) -> None:
        super().__init__()
        widths = [embedding_width(size, max_width) for size in spec.cardinalities]
        self.embeddings = nn.ModuleList(
            nn.Embedding(size, width) for size, width in zip(spec.cardinalities, widths, strict=True)
        )
        for embedding in self.embeddings:
            assert isinstance(embedding, nn.Embedding)
            nn.init.normal_(embedding.weight, std=0.1)
        self.pixels = FlatPixels(spec)
        self.width = spec.num_numeric + sum(widths) + spec.num_pixels

    def forward(self, numeric: torch.Tensor, categorical: torch.Tensor, tensors: Tensors | None = None) -> torch.Tensor:
        parts = [numeric] + [embed(categorical[:, i]) for i, embed in enumerate(self.embeddings)]
        return torch.cat(parts + self.pixels(tensors or {}), dim=1)


def embedding_width(cardinality: int, max_width: int) -> int:
    """fastai's rule of thumb, 1.6 * cardinality ** 0.56, bounded.

    >>> embedding_width(2, 32), embedding_width(42, 32), embedding_width(10_000, 32)
    (2, 13, 32)
    """
    return min(max_width, round(1.6 * cardinality**0.56))
