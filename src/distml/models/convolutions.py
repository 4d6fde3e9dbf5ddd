"""Convolutions over the images of one column."""

from __future__ import annotations

import math

import torch
from torch import nn

from distml.batch import TensorSpec
from distml.models.inputs import PixelInput

_LARGEST = 64  # pixels of a side that the first block works on; larger images come to it in patches
# What prediction normalises with follows the batches within some steps: a batch has many positions, and so little
# noise, and weights that move on meanwhile leave a slower mean behind, which shows as scores that jump.
_MOMENTUM = 0.3
_SMALLEST = 4  # pixels of a side that are halved once more


class Convolutions(nn.Module):
    """Images [n, ch, h, w] of pixels 0 to 255 -> what was found in them, [n, width].

    Blocks of two 3 x 3 convolutions, each with batch normalisation and ReLU; between blocks the sides are halved, as
    long as there is something to halve, and the channels doubled; in the end each channel's mean and largest over the
    positions: the largest says sooner that something is there at all.
    """

    def __init__(self, spec: TensorSpec, first_width: int, num_blocks: int) -> None:
        super().__init__()
        channels, *sides = spec.shape
        patch = math.ceil(min(sides) / _LARGEST)
        sides = [max(side // patch, 1) for side in sides]
        layers: list[nn.Module] = []
        if patch > 1:
            layers += convolution(channels, first_width, patch, stride=patch)
            channels = first_width
        self.numbers_per_row = first_width * math.prod(sides)
        for block in range(num_blocks):
            if block and min(sides) >= _SMALLEST:
                layers.append(nn.MaxPool2d(2))
                sides = [side // 2 for side in sides]
            width = first_width * 2**block
            layers += [*convolution(channels, width, 3), *convolution(width, width, 3)]
            channels = width
        self.width = 2 * channels
        self.pixels = PixelInput(spec)
        self.layers = nn.Sequential(*layers).to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        pixels = self.pixels(images).contiguous(memory_format=torch.channels_last)
        found = self.layers(pixels)
        return torch.cat([found.mean(dim=(2, 3)), found.amax(dim=(2, 3))], dim=1)


def convolution(num_in: int, num_out: int, side: int, stride: int = 1) -> list[nn.Module]:
    """A convolution whose bias is the normalisation's, which follows, and ReLU; sides stay as they are at stride 1."""
    padding = side // 2 if stride == 1 else 0
    return [
        nn.Conv2d(num_in, num_out, side, stride=stride, padding=padding, bias=False),
        nn.BatchNorm2d(num_out, momentum=_MOMENTUM),
        nn.ReLU(),
    ]
