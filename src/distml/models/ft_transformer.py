"""`ft_transformer`: every column a token, and attention between them.

Gorishniy et al.: "Revisiting Deep Learning Models for Tabular Data" (2021), section 3.3, by rtdl_revisiting_models.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from distml.models.base import Family, ModelSpec

if TYPE_CHECKING:
    from torch import nn

_NUM_HEADS = 8
# Attention holds tokens x tokens numbers per head and row. Beyond the first number its keys and values are brought
# down to the second (Linformer), so that tables of hundreds of columns fit.
_MANY_TOKENS, _FEWER_TOKENS = 256, 128


def build(spec: ModelSpec) -> nn.Module:
    import rtdl_revisiting_models as rtdl
    import torch
    from torch import nn

    from distml.models.inputs import FlatPixels, Table, Tensors

    inputs, params = spec.input, spec.params
    width = _NUM_HEADS * params["head_width"]
    num_tokens = 1 + inputs.num_numeric + len(inputs.cardinalities) + len(inputs.tensors)
    few = min(num_tokens, _FEWER_TOKENS) if num_tokens > _MANY_TOKENS else None

    class FTTransformer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.numbers = rtdl.LinearEmbeddings(inputs.num_numeric, width) if inputs.num_numeric else None
            self.categories = Table(inputs.cardinalities, width, std=width**-0.5) if inputs.cardinalities else None
            self.pixels = FlatPixels(inputs)
            self.images = nn.ModuleList(nn.Linear(tensor.size, width) for tensor in inputs.tensors.values())
            # The token that is read in the end, and the bias of each column that isn't a number.
            num_biased = 1 + len(inputs.cardinalities)
            self.tokens = nn.Embedding(num_biased, width)
            nn.init.uniform_(self.tokens.weight, -(width**-0.5), width**-0.5)
            self.backbone = rtdl.FTTransformerBackbone(
                d_out=inputs.num_outputs,
                n_blocks=params["num_blocks"],
                d_block=width,
                attention_n_heads=_NUM_HEADS,
                attention_dropout=params["attention_dropout"],
                ffn_d_hidden_multiplier=4 / 3,  # of ReGLU, which has as many weights as ReLU with 2
                ffn_dropout=params["dropout"],
                residual_dropout=params["residual_dropout"],
                n_tokens=num_tokens if few else None,
                linformer_kv_compression_ratio=few / num_tokens if few else None,
                linformer_kv_compression_sharing="headwise" if few else None,
            )
            self.numbers_per_row = num_tokens * (_NUM_HEADS * (few or num_tokens) + 8 * width)

        def forward(
            self, numeric: torch.Tensor, categorical: torch.Tensor, tensors: Tensors | None = None
        ) -> torch.Tensor:
            first, biases = self.tokens.weight[:1], self.tokens.weight[1:]
            parts = [first.expand(numeric.shape[0], 1, width)]
            if self.numbers is not None:
                parts.append(self.numbers(numeric))
            if self.categories is not None:
                parts.append(self.categories(categorical) + biases)
            images = zip(self.images, self.pixels(tensors or {}), strict=True)
            parts += [layer(pixels)[:, None] for layer, pixels in images]
            return self.backbone(torch.cat(parts, dim=1))  # [n, k] of [n, tokens, width]

    return FTTransformer()


# The package's default for two blocks, with a learning rate for fits of minutes rather than hours; around it the
# paper's space (appendix F) as far as two cores carry it.
_DEFAULTS: dict[str, Any] = {
    "lr": 5e-4,
    "weight_decay": 1e-5,
    "num_blocks": 2,
    "head_width": 8,
    "attention_dropout": 0.15,
    "dropout": 0.05,
    "residual_dropout": 0.0,
}
FAMILY = Family(
    name="ft_transformer",
    kind="network",
    recipe="dense",
    defaults=_DEFAULTS,
    space={
        "lr": {"log": [1e-4, 2e-3]},
        "weight_decay": {"log": [1e-6, 1e-3]},
        "num_blocks": {"int": [1, 4]},
        "head_width": {"choice": [4, 8, 12, 16, 24]},
        "attention_dropout": {"uniform": [0.0, 0.4]},
        "dropout": {"uniform": [0.0, 0.4]},
        "residual_dropout": {"uniform": [0.0, 0.2]},
    },
    tunable=("lr", "weight_decay", "attention_dropout", "dropout", "residual_dropout"),
    build=build,
)
