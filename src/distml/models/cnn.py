"""`cnn`: convolutions over each image, then a layer over what they found and the other columns."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from distml.models.base import Family, ModelSpec

if TYPE_CHECKING:
    from torch import nn


def build(spec: ModelSpec) -> nn.Module:
    import torch
    from torch import nn

    from distml.models.convolutions import Convolutions
    from distml.models.inputs import TabularInput, Tensors, normalised

    params = spec.params
    images = spec.input.tensors

    class CNN(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.columns = TabularInput(replace(spec, input=replace(spec.input, tensors={})))
            bodies = [Convolutions(tensor, params["width"], params["num_blocks"]) for tensor in images.values()]
            self.bodies = nn.ModuleList(bodies)
            width = self.columns.width + sum(body.width for body in bodies)
            self.head = nn.Sequential(
                nn.Linear(width, params["head_width"]),
                nn.ReLU(),
                nn.Dropout(params["dropout"]),
                nn.Linear(params["head_width"], spec.input.num_outputs),
            )
            self.numbers_per_row = 3 * max(body.numbers_per_row for body in bodies)

        def forward(
            self, numeric: torch.Tensor, categorical: torch.Tensor, tensors: Tensors | None = None
        ) -> torch.Tensor:
            seen = [normalised(body, (tensors or {})[name]) for name, body in zip(images, self.bodies, strict=True)]
            return self.head(torch.cat([*seen, self.columns(numeric, categorical)], dim=1))  # [n, k]

    return CNN()


_DEFAULTS: dict[str, Any] = {
    "lr": 2e-3,
    "weight_decay": 1e-3,
    "num_blocks": 3,
    "width": 16,
    "head_width": 64,
    "dropout": 0.2,
    "embedding_width": 16,
}
FAMILY = Family(
    name="cnn",
    kind="network",
    recipe="dense",
    defaults=_DEFAULTS,
    space={
        "lr": {"log": [5e-4, 1e-2]},
        "weight_decay": {"log": [1e-5, 1e-1]},
        "num_blocks": {"int": [2, 4]},
        "width": {"choice": [8, 16, 24, 32]},
        "head_width": {"choice": [64, 128, 256]},
        "dropout": {"uniform": [0.0, 0.5]},
    },
    tunable=("lr", "weight_decay", "dropout"),
    needs_images=True,
    build=build,
)
