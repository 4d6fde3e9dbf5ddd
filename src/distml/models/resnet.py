"""`resnet`: blocks with a way around each, and batch normalisation, over embeddings.

Gorishniy et al.: "Revisiting Deep Learning Models for Tabular Data" (2021), section 3.2, by rtdl_revisiting_models.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from distml.models.base import Family, ModelSpec
from distml.models.bins import EMBEDDINGS, learn_bins

if TYPE_CHECKING:
    from torch import nn


def build(spec: ModelSpec) -> nn.Module:
    import rtdl_revisiting_models as rtdl
    import torch
    from torch import nn

    from distml.models.inputs import TabularInput, Tensors, normalised

    params = spec.params

    class ResNet(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.input = TabularInput(spec)
            self.body = rtdl.ResNet(
                d_in=self.input.width,
                d_out=spec.input.num_outputs,
                n_blocks=params["num_blocks"],
                d_block=params["width"],
                d_hidden_multiplier=params["hidden_factor"],
                dropout1=params["dropout"],
                dropout2=params["residual_dropout"],
            )

        def forward(
            self, numeric: torch.Tensor, categorical: torch.Tensor, tensors: Tensors | None = None
        ) -> torch.Tensor:
            return normalised(self.body, self.input(numeric, categorical, tensors))  # [n, k]

    return ResNet()


# The paper's space (appendix F), narrower at the end that two cores don't finish.
_DEFAULTS: dict[str, Any] = {
    "lr": 1e-3,
    "weight_decay": 1e-4,
    "num_blocks": 2,
    "width": 128,
    "hidden_factor": 2.0,
    "dropout": 0.2,
    "residual_dropout": 0.0,
    "embedding_width": 16,
    "numeric_embedding": "ple",
    "numeric_width": 12,
    "num_bins": 32,
    "frequency_scale": 0.1,
}
FAMILY = Family(
    name="resnet",
    kind="network",
    recipe="dense",
    defaults=_DEFAULTS,
    space={
        "lr": {"log": [1e-4, 5e-3]},
        "weight_decay": {"log": [1e-6, 1e-2]},
        "num_blocks": {"int": [1, 4]},
        "width": {"choice": [64, 128, 192, 256]},
        "hidden_factor": {"uniform": [1.0, 4.0]},
        "dropout": {"uniform": [0.0, 0.5]},
        "residual_dropout": {"uniform": [0.0, 0.3]},
        "embedding_width": {"choice": [8, 16, 32]},
        "numeric_width": {"choice": [8, 12, 16, 24]},
        "num_bins": {"int": [8, 64]},
    },
    tunable=("lr", "weight_decay", "dropout", "residual_dropout"),
    options={"numeric_embedding": EMBEDDINGS},
    build=build,
    learn=learn_bins,
)
