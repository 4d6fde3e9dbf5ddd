"""What a model family is, and what a fitted model can do. It knows nothing of how one is trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from distml.batch import FeatureBatch, InputSpec, TensorSpec
from distml.code import CodeRef
from distml.config.base import Task
from distml.errors import ConfigError, did_you_mean

Params = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Family:
    """A kind of model: the feature recipe that it wants, where its search starts and what it searches over.

    `defaults` holds every parameter's known-good value; `space` the distribution of those searched, in the syntax of
    `search.space`; `options` what a parameter that is a word may be; `tunable` names the parameters that may change in
    the middle of a fit, which then goes on with the weights that it has; `is_open`: parameters of any other name are
    the user's own, and aren't looked at.
    """

    name: str
    kind: Literal["network", "trees"]
    recipe: Literal["dense", "trees"]
    defaults: Params
    space: Params
    tunable: tuple[str, ...] = ()
    options: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    needs_images: bool = False
    is_open: bool = False
    build: Callable[[ModelSpec], Any] | None = None
    """Of a network family. A torch module from (numeric [n, f], categorical [n, c], tensors {name: [n, ch, h, w]}) to
    logits or standardised values [n, k], or [n, m, k] of m members that share a network. It may have
    `parameter_groups()`, for the optimizer, and `numbers_per_row`, how many numbers it holds for a row at once."""
    learn: Callable[[ModelSpec, FeatureBatch], dict[str, Any]] | None = None
    """What building needs of the training rows, as JSON: see `ModelSpec.learned`."""

    def complete(self, params: Params) -> dict[str, Any]:
        """Params with the defaults of those not named; `ConfigError` at one that the family doesn't have."""
        for name in params:
            if name not in self.defaults and not self.is_open:
                near = did_you_mean(name, list(self.defaults))
                raise ConfigError(
                    f"a parameter of {self.name}",
                    received=name,
                    where=f"search.space.{self.name}",
                    remedy=f"did you mean {near!r}?" if near else f"one of {', '.join(self.defaults)}",
                )
        for name, allowed in self.options.items():
            _check_words(params.get(name, allowed[0]), allowed, f"search.space.{self.name}.{name}")
        return {**self.defaults, **params}

    def check_columns(self, *, has_images: bool) -> None:
        """Raises `ConfigError` where the family can't be fitted on a table's features."""
        if self.needs_images and not has_images:
            raise ConfigError(
                f"{self.name} is fitted on images",
                received="a table without an image column",
                where="model.families",
                remedy=f"leave {self.name} out, or give the column of images the kind image in data.kinds",
            )


def _check_words(written: Any, allowed: tuple[str, ...], where: str) -> None:
    """`ConfigError` where a word, or one of a choice of words, isn't among those allowed."""
    words = written.get("choice", [written]) if isinstance(written, Mapping) else [written]
    for word in words:
        if word not in allowed:
            raise ConfigError("this parameter is a word", received=word, where=where, remedy=" or ".join(allowed))


class Model(Protocol):
    """A fitted model of any family."""

    spec: ModelSpec

    def predict(self, batch: FeatureBatch) -> np.ndarray:
        """Class probabilities float64 [n, k], or standardised values float64 [n]."""
        ...

    def save(self, folder: Path) -> None:
        """Writes `model.json` and the weights; nothing that executes."""
        ...


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """Everything that rebuilds a model before its weights are loaded.

    `learned`: what building needs of the training rows, JSON values, such as the bin edges of numeric embeddings;
    `models.build.learned` fills it in. `code`: what of the user's own the model is made and fitted with, by the key of
    the config's section `model`: `factory`, `loss`, `train_fn`.
    """

    family: str
    params: dict[str, Any]
    input: InputSpec
    task: Task
    learned: dict[str, Any] = field(default_factory=dict)
    code: dict[str, CodeRef] = field(default_factory=dict)

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
            "learned": dict(self.learned),
            "code": {key: ref.to_dict() for key, ref in self.code.items()},
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
            learned=value.get("learned", {}),
            code={key: CodeRef(**ref) for key, ref in value.get("code", {}).items()},
        )
