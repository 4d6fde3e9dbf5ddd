"""What a model family is, and what a fitted model can do. It knows nothing of how one is trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from distml.batch import FeatureBatch, InputSpec, TensorSpec
from distml.config.base import Task
from distml.errors import ConfigError, did_you_mean

Params = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Family:
    """A kind of model: the feature recipe that it wants, where its search starts and what it searches over.

    `defaults` holds every parameter's known-good value; `space` the distribution of those searched, in the syntax of
    `search.space`. A network family has `build(params, spec)`, which returns a torch module from
    (numeric [n, f], categorical [n, c], tensors {name: [n, ch, h, w]}) to logits or standardised values [n, k].
    """

    name: str
    kind: Literal["network", "trees"]
    recipe: Literal["dense", "trees"]
    defaults: Params
    space: Params
    build: Callable[[Params, InputSpec], Any] | None = None

    def complete(self, params: Params) -> dict[str, Any]:
        """Params with the defaults of those not named; `ConfigError` at one that the family doesn't have."""
        for name in params:
            if name not in self.defaults:
                near = did_you_mean(name, list(self.defaults))
                raise ConfigError(
                    f"a parameter of {self.name}",
                    received=name,
                    where=f"search.space.{self.name}",
                    remedy=f"did you mean {near!r}?" if near else f"one of {', '.join(self.defaults)}",
                )
        return {**self.defaults, **params}


class Model(Protocol):
    """A fitted model of any family."""

    def predict(self, batch: FeatureBatch) -> np.ndarray:
        """Class probabilities float64 [n, k], or standardised values float64 [n]."""
        ...

    def save(self, folder: Path) -> None:
        """Writes `model.json` and the weights; nothing that executes."""
        ...


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """Everything that rebuilds a model before its weights are loaded."""

    family: str
    params: dict[str, Any]
    input: InputSpec
    task: Task

    def to_dict(self) -> dict[str, Any]:
        return {
            "family": self.family,
            "params": dict(self.params),
            "task": self.task,
            "input": {
                "num_numeric": self.input.num_numeric,
                "cardinalities": list(self.input.cardinalities),
                "num_outputs": self.input.num_outputs,
                "tensors": {name: asdict(tensor) for name, tensor in self.input.tensors.items()},
            },
        }

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> ModelSpec:
        spec = value["input"]
        return cls(
            family=value["family"],
            params=value["params"],
            task=value["task"],
            input=InputSpec(
                num_numeric=spec["num_numeric"],
                cardinalities=tuple(spec["cardinalities"]),
                num_outputs=spec["num_outputs"],
                tensors={
                    name: TensorSpec(**{key: tuple(value) for key, value in tensor.items()})
                    for name, tensor in spec.get("tensors", {}).items()
                },
            ),
        )
