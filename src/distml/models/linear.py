"""`linear`: one weight per number, category and pixel. The network that every other must beat."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from distml.models.base import Family, ModelSpec

if TYPE_CHECKING:
    from torch import nn


def build(spec: ModelSpec) -> nn.Module:
    import torch
    from torch import nn

    from distml.models.inputs import Categories, FlatPixels, Tensors

    inputs = spec.input

    class Linear(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            # torch warns of a layer without inputs, and the tables can hold its bias.
            self.pixels = FlatPixels(inputs)
            width = inputs.num_numeric + inputs.num_pixels
            self.numeric = nn.Linear(width, inputs.num_outputs) if width else None
            self.categories = Categories(inputs.cardinalities, [inputs.num_outputs] * len(inputs.cardinalities))
            for table in self.categories.tables:
                nn.init.zeros_(table.weight)  # type: ignore[arg-type]

        def forward(
            self, numeric: torch.Tensor, categorical: torch.Tensor, tensors: Tensors | None = None
        ) -> torch.Tensor:
            numbers = torch.cat([numeric, *self.pixels(tensors or {})], dim=1) if inputs.tensors else numeric
            parts = [] if self.numeric is None else [self.numeric(numbers)]
            parts += [codes.unflatten(1, (-1, inputs.num_outputs)).sum(1) for codes in self.categories(categorical)]
            return sum(parts[1:], parts[0])  # [n, k]

        def parameter_groups(self) -> list[dict[str, Any]]:
            """All of them decay: a category's weights are weights, as a number's are."""
            return [{"params": list(self.parameters())}]

    return Linear()


_DEFAULTS: dict[str, Any] = {"lr": 1e-2, "weight_decay": 1e-5}
FAMILY = Family(
    name="linear",
    kind="network",
    recipe="dense",
    defaults=_DEFAULTS,
    space={"lr": {"log": [1e-3, 1e-1]}, "weight_decay": {"log": [1e-7, 1e-2]}},
    tunable=("lr", "weight_decay"),
    build=build,
)
