"""The first layers that networks share: embeddings of the codes beside the numbers, and images as numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import nn

from distml.batch import InputSpec, TensorSpec
from distml.models.base import ModelSpec
from distml.models.numbers import numbers_input

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


class Table(nn.Embedding):
    """Codes of several columns [n, c] -> their embeddings [n, c, width], looked up at once in one table.

    A lookup and its gradient for each column apart would cost a step more than the rest of a small network.
    """

    offsets: torch.Tensor

    def __init__(self, cardinalities: Sequence[int], width: int, std: float = 0.1) -> None:
        super().__init__(sum(cardinalities), width)
        nn.init.normal_(self.weight, std=std)
        ends = torch.tensor(list(cardinalities)).cumsum(0)
        self.register_buffer("offsets", ends - torch.tensor(list(cardinalities)), persistent=False)

    def forward(self, codes: torch.Tensor) -> torch.Tensor:
        return super().forward(codes + self.offsets)


class Categories(nn.Module):
    """Codes [n, c] -> an embedding of each, side by side [n, sum(widths)]: the columns of one width after another."""

    def __init__(self, cardinalities: Sequence[int], widths: Sequence[int]) -> None:
        super().__init__()
        different = sorted(set(widths))
        self.columns = [[i for i, width in enumerate(widths) if width == one] for one in different]
        self.tables = nn.ModuleList(
            Table([cardinalities[i] for i in columns], width)
            for columns, width in zip(self.columns, different, strict=True)
        )
        self.widths = sorted(widths)
        self.register_load_state_dict_pre_hook(_by_column)

    def forward(self, codes: torch.Tensor) -> list[torch.Tensor]:
        if len(self.tables) == 1:
            return [self.tables[0](codes).flatten(1)]
        return [table(codes[:, columns]).flatten(1) for table, columns in zip(self.tables, self.columns, strict=True)]


def _by_column(module: nn.Module, state: dict[str, torch.Tensor], prefix: str, *_: object) -> None:
    """Weights of packages in which each column had a table of its own, put together."""
    assert isinstance(module, Categories)
    if f"{prefix}0.weight" in state:
        for number, columns in enumerate(module.columns):
            parts = [state.pop(f"{prefix}{i}.weight") for i in columns]
            state[f"{prefix}tables.{number}.weight"] = torch.cat(parts)


class TabularInput(nn.Module):
    """(numeric [n, f], categorical [n, c], tensors) -> [n, width]: numbers, embeddings of the codes, pixels.

    `widths` says how many numbers each column and each pixel became, in their order.
    """

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        cardinalities, max_width = spec.input.cardinalities, spec.params["embedding_width"]
        self.numbers = numbers_input(spec)
        self.embeddings = Categories(cardinalities, [embedding_width(size, max_width) for size in cardinalities])
        self.pixels = FlatPixels(spec.input)
        self.widths = [*self.numbers.widths, *self.embeddings.widths, *[1] * spec.input.num_pixels]
        self.width = sum(self.widths)

    def forward(self, numeric: torch.Tensor, categorical: torch.Tensor, tensors: Tensors | None = None) -> torch.Tensor:
        codes: list[torch.Tensor] = self.embeddings(categorical)
        pixels: list[torch.Tensor] = self.pixels(tensors or {})
        return torch.cat([self.numbers(numeric), *codes, *pixels], dim=1)


def normalised(body: nn.Module, inputs: torch.Tensor) -> torch.Tensor:
    """A body with batch normalisation, of inputs [n, ...]; of one row, which has no statistics, as in prediction."""
    if not body.training or len(inputs) > 1:
        return body(inputs)
    body.eval()
    try:
        return body(inputs)
    finally:
        body.train()


def embedding_width(cardinality: int, max_width: int) -> int:
    """fastai's rule of thumb, 1.6 * cardinality ** 0.56, bounded.

    >>> embedding_width(2, 32), embedding_width(42, 32), embedding_width(10_000, 32)
    (2, 13, 32)
    """
    return min(max_width, round(1.6 * cardinality**0.56))
