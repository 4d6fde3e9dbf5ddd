"""`NetworkModel`: a fitted torch module that predicts batches and is stored as JSON and safetensors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from distml.batch import FeatureBatch
from distml.errors import PackageError
from distml.models.base import ModelSpec
from distml.models.groups import whole_groups
from distml.storage import dump_json

WEIGHTS = "weights.safetensors"
_CHUNK = 16_384  # rows
# Numbers held for them at once. A CPU is sooner done with fewer, which stay in its caches.
_CHUNK_NUMBERS = {"cpu": 1 << 22, "cuda": 1 << 26}
# Matrix kernels take rows in groups and what is left over one by one, which rounds otherwise: in whole groups a row's
# scores don't depend on the rows beside it, and a request gets what batch scoring gets.
_GROUP = 16
_NORMS = (nn.LayerNorm, nn.GroupNorm, nn.modules.batchnorm._NormBase)
_EMBEDDINGS = ("Embedding", "LinearEmbeddings", "_Periodic")  # torch's and rtdl's, by name: not all are loaded


class NetworkModel:
    """Implements `Model`. Predicts in float32 on the module's device, in chunks that bound its memory."""

    def __init__(self, spec: ModelSpec, module: Any) -> None:
        self.spec = spec
        self.module = module.eval()
        self._device = next(module.parameters()).device

    def predict(self, batch: FeatureBatch) -> np.ndarray:
        rows = self.rows_at_once
        chunks = [slice(start, start + rows) for start in range(0, len(batch), rows)]
        with torch.inference_mode():
            outputs = [self._forward(batch, chunk) for chunk in chunks]
        if not outputs:
            k = self.spec.input.num_outputs
            return np.empty((0, k)) if self.spec.task != "regression" else np.empty(0)
        return np.concatenate(outputs)

    def _forward(self, batch: FeatureBatch, chunk: slice) -> np.ndarray:
        numeric, categorical = self._moved(batch.numeric[chunk]), self._moved(batch.categorical[chunk])
        tensors = {name: self._moved(batch.tensors[name][chunk]) for name in self.spec.input.tensors}
        return scores(self.module(numeric, categorical, tensors), self.spec.task)[: len(batch.numeric[chunk])]

    def _moved(self, array: np.ndarray) -> torch.Tensor:
        return _as_tensor(whole_groups(array, _GROUP)).to(self._device)

    @property
    def rows_at_once(self) -> int:
        """A whole number of groups, fewer rows where the network holds many numbers for each."""
        numbers = max(self.spec.input.num_pixels, getattr(self.module, "numbers_per_row", 1), 1)
        rows = min(_CHUNK, _CHUNK_NUMBERS.get(self._device.type, 1 << 26) // numbers)
        return max(_GROUP, rows - rows % _GROUP)

    def on(self, device: str) -> NetworkModel:
        """The model with its module moved to a device."""
        return NetworkModel(self.spec, self.module.to(device))

    def save(self, folder: Path) -> None:
        from safetensors.torch import save_file

        (folder / "model.json").write_bytes(dump_json(self.spec.to_dict()))
        # A network of the user's own may have a tensor under two names, which safetensors refuses: so each is copied.
        state = {name: value.detach().cpu().contiguous().clone() for name, value in self.module.state_dict().items()}
        save_file(state, folder / WEIGHTS)

    @classmethod
    def load(cls, folder: Path, spec: ModelSpec, module: Any) -> NetworkModel:
        """The module with the folder's weights; `PackageError` when they don't fit it."""
        from safetensors.torch import load_file

        try:
            module.load_state_dict(load_file(folder / WEIGHTS))
        except RuntimeError as error:
            raise PackageError(
                "weights fit the model that model.json describes",
                received=str(error).splitlines()[-1].strip(),
                where=str(folder),
            ) from error
        return cls(spec, module)


def scores(outputs: torch.Tensor, task: str) -> np.ndarray:
    """Module outputs [n, k], or [n, m, k] of m members, as float64 probabilities [n, k] or standardised values [n].

    Members are averaged as probabilities, not as logits: each is a model of its own.
    """
    values = outputs[..., 0].double() if task == "regression" else torch.softmax(outputs.double(), dim=-1)
    return (values.mean(dim=1) if outputs.ndim == 3 else values).cpu().numpy()


def parameter_groups(module: Any) -> list[dict[str, Any]]:
    """A module's parameters for an optimizer: its own `parameter_groups()`, else those that decay and those that don't.

    Biases, the scales of norms and embeddings don't: rtdl_revisiting_models, FTTransformer.make_parameter_groups.
    """
    own = getattr(module, "parameter_groups", None)
    if own is not None:
        return list(own())
    free = {
        id(parameter)
        for part in module.modules()
        for name, parameter in part.named_parameters(recurse=False)
        if name == "bias" or isinstance(part, _NORMS) or type(part).__name__ in _EMBEDDINGS
    }
    decayed = [parameter for parameter in module.parameters() if id(parameter) not in free]
    others = [parameter for parameter in module.parameters() if id(parameter) in free]
    groups: list[dict[str, Any]] = [{"params": decayed}, {"params": others, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]


def _as_tensor(array: np.ndarray) -> torch.Tensor:
    """An array as a tensor; torch warns of read-only ones, as an object store hands them out, so those are copied."""
    return torch.from_numpy(np.require(array, requirements=["C", "W"]))
