"""`OwnLearner`: what a `train_fn` has reported, as a learner."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from distml.batch import FeatureBatch
from distml.errors import TrainingError
from distml.models.base import Model, ModelSpec
from distml.models.build import build_network
from distml.models.network import NetworkModel, scores
from distml.models.own import place_of
from distml.training.divergence import no_number

KEY = "train_fn"


class OwnLearner:
    """Implements `Learner` by what was reported."""

    def __init__(self, spec: ModelSpec) -> None:
        self.spec = spec
        self.saved: dict[str, Any] | None = None
        self._loss = math.nan
        self._outputs: Any = None
        self._weights: dict[str, torch.Tensor] | None = None
        self._kept: dict[str, torch.Tensor] | None = None

    def hear(self, epoch: int, loss: float | None, outputs: Any, state: Any) -> None:
        """Takes an epoch's report, checked for what can be said of it alone."""
        if loss is not None and not math.isfinite(loss):
            raise no_number(epoch, float(loss), self.spec.params.get("lr"))
        self._loss, self._outputs = math.nan if loss is None else float(loss), outputs
        self._weights = None if state is None else _copied(state, self.spec)

    def epoch(self, number: int) -> float:
        return self._loss

    def predict(self, batch: FeatureBatch) -> np.ndarray:
        if self._outputs is not None:
            return scores(_checked(self._outputs, len(batch), self.spec), self.spec.task)
        if self._weights is None:
            raise TrainingError(
                "a train_fn reports what the validation rows come to",
                received="neither `outputs` nor `state`", where=where_of(self.spec),
                remedy="handle.report(epoch, outputs=model(...)), or state=model.state_dict()",
            )  # fmt: skip
        return _model(self.spec, self._weights).predict(batch)

    def keep(self) -> None:
        self._kept = self._weights

    def end(self, returned: Any) -> None:
        """Takes what the function returned, where no report had the weights."""
        if self._kept is None:
            self._kept = self._weights if returned is None else _copied(returned, self.spec)

    @property
    def has_weights(self) -> bool:
        return self._kept is not None

    def model(self) -> Model:
        if self._kept is None:
            raise TrainingError(
                "a train_fn gives the weights of its network", received="None", where=where_of(self.spec),
                remedy="return model.state_dict(), or give it to every report: handle.report(epoch, state=...)",
            )  # fmt: skip
        return _model(self.spec, self._kept)

    def state(self) -> dict[str, Any]:
        return {"saved": self.saved, "kept": self._kept}

    def load_state(self, state: dict[str, Any]) -> None:
        self.saved, self._kept = state["saved"], state["kept"]


def _checked(outputs: Any, num_rows: int, spec: ModelSpec) -> torch.Tensor:
    tensor = torch.as_tensor(outputs).detach().to(torch.float32)
    k = spec.input.num_outputs
    if tensor.ndim not in (2, 3) or (len(tensor), tensor.shape[-1]) != (num_rows, k):
        raise TrainingError(
            f"a train_fn reports outputs [{num_rows}, {k}] of the validation rows",
            received=str(list(tensor.shape)), where=where_of(spec),
            remedy="give what the network answers, before any softmax, in the rows' order",
        )  # fmt: skip
    return tensor


def _copied(state: Any, spec: ModelSpec) -> dict[str, torch.Tensor]:
    """A state dict that further training doesn't change."""
    if not isinstance(state, Mapping) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise TrainingError(
            "a train_fn gives a state dict", received=f"a {type(state).__name__}", where=where_of(spec),
            remedy="give model.state_dict()",
        )  # fmt: skip
    return {str(name): value.detach().cpu().clone() for name, value in state.items()}


def _model(spec: ModelSpec, weights: Mapping[str, torch.Tensor]) -> NetworkModel:
    module = build_network(spec)
    try:
        module.load_state_dict(weights)
    except RuntimeError as error:
        raise TrainingError(
            "a train_fn's weights fit the factory's network", received=" ".join(str(error).split())[:300],
            where=where_of(spec), remedy="train what handle.build() gives",
        ) from error  # fmt: skip
    return NetworkModel(spec, module)


def where_of(spec: ModelSpec) -> str:
    """Whose loop it is, as an error says it."""
    return f"{place_of(KEY)} {spec.code[KEY].dotted}"
