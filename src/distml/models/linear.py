"""`linear`: one weight per number, category and pixel. The network that every other must beat."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from distml.batch import InputSpec
from distml.models.base import Family, Params

if TYPE_CHECKING:
    from torch import nn


def build(params: Params, spec: InputSpec) -> nn.Module:
    import torch
    from torch import nn

    from distml.models.inputs import FlatPixels, Tensors

    class Linear(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            # torch warns of a layer without inputs, and the tables can hold its bias.
            self.pixels = FlatPixels(spec)
            width = spec.num_numeric + spec.num_pixels
            self.numeric = nn.Linear(width, spec.num_outputs) if width else None
            self.categories = nn.ModuleList(nn.Embedding(k, spec.num_outputs) for k in spec.cardinalities)
            for table in self.categories:
                nn.init.zeros_(table.weight)  # type: ignore[arg-type]

        def forward(
            self, numeric: torch.Tensor, categorical: torch.Tensor, tensors: Tensors | None = None
        ) -> torch.Tensor:
            numbers = torch.cat([numeric, *self.pixels(tensors or {})], dim=1) if spec.tensors else numeric
            parts = [] if self.numeric is None else [self.numeric(numbers)]
            parts += [table(categorical[:, i]) for i, table in enumerate(self.categories)]
            return sum(parts[1:], parts[0])  # [n, k]

    return Linear()


_DEFAULTS: dict[str, Any] = {"lr": 1e-2, "weight_decay": 1e-5}
FAMILY = Family(
    name="linear",
    kind="network",
    recipe="dense",
    defaults=_DEFAULTS,
    space={"lr": {"log": [1e-3, 1e-1]}, "weight_decay": {"log": [1e-7, 1e-2]}},
    build=build,
)
