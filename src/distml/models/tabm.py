"""`tabm`: many MLPs in one that share most of their weights, over piecewise-linear embeddings of the numbers.

Gorishniy, Kotelnikov, Babenko: "TabM: Advancing Tabular Deep Learning with Parameter-Efficient Ensembling" (2025), by
the package tabm. Its own one-hot codes are left out: a column of many categories would make the first layer as wide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from distml.models.base import Family, ModelSpec
from distml.models.bins import EMBEDDINGS, learn_bins

if TYPE_CHECKING:
    from torch import nn


def build(spec: ModelSpec) -> nn.Module:
    import tabm
    import torch
    from torch import nn

    from distml.models.inputs import TabularInput, Tensors

    params = spec.params
    k, width = params["num_members"], params["width"]

    class TabM(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.input = TabularInput(spec)
            self.backbone = tabm.make_tabm_backbone(
                d_in=self.input.width,
                n_blocks=params["num_blocks"],
                d_block=width,
                dropout=params["dropout"],
                k=k,
                # As TabM.make chooses; a feature's numbers are scaled alike to begin with.
                start_scaling_init="normal" if self.input.numbers.is_embedded else "random-signs",
                start_scaling_init_chunks=self.input.widths,
            )
            self.head = tabm.LinearEnsemble(width, spec.input.num_outputs, k=k)
            self.numbers_per_row = k * (self.input.width + 2 * width)

        def forward(
            self, numeric: torch.Tensor, categorical: torch.Tensor, tensors: Tensors | None = None
        ) -> torch.Tensor:
            inputs = self.input(numeric, categorical, tensors)
            return self.head(self.backbone(inputs[:, None].expand(-1, k, -1)))  # [n, m, k]

    return TabM()


# The paper's space (appendix D), with widths and numbers of members that two cores fit in minutes; the paper's own
# 512 and 32 gain half a percent for many times the time.
_DEFAULTS: dict[str, Any] = {
    "lr": 2e-3,
    "weight_decay": 3e-4,
    "num_members": 8,
    "num_blocks": 2,
    "width": 128,
    "dropout": 0.1,
    "numeric_embedding": "ple",
    "numeric_width": 12,
    "num_bins": 32,
    "frequency_scale": 0.1,
    "embedding_width": 16,
}
FAMILY = Family(
    name="tabm",
    kind="network",
    recipe="dense",
    defaults=_DEFAULTS,
    space={
        "lr": {"log": [5e-4, 5e-3]},
        "weight_decay": {"log": [1e-6, 1e-2]},
        "num_members": {"choice": [8, 16]},
        "num_blocks": {"int": [1, 4]},
        "width": {"choice": [64, 96, 128, 192, 256]},
        "dropout": {"uniform": [0.0, 0.5]},
        "numeric_width": {"choice": [8, 12, 16, 24]},
        "num_bins": {"int": [8, 64]},
        "embedding_width": {"choice": [8, 16, 32]},
    },
    tunable=("lr", "weight_decay", "dropout"),
    options={"numeric_embedding": EMBEDDINGS},
    build=build,
    learn=learn_bins,
)
