"""The section `model`: which models are tried, code of the user's own among them, and the weights they begin with."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from distml.config.base import Names, Section, one_or_many

FamilyName = Literal["linear", "mlp", "resnet", "ft_transformer", "tabm", "cnn", "trees", "own"]
OWN = "own"
DOTTED = r"^[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*$"
_ALLOWED = "it is imported only where --allow-code names its package"
_VERSION = re.compile(r"[a-z0-9][a-z0-9_-]*(@[a-z]+|/\d+)?")


class WarmStartConfig(Section):
    """Weights that networks begin with, taken from a package's member of the same family."""

    package: str = Field(
        min_length=1, description="NAME@champion, NAME/VERSION, or a package's folder (./FOLDER for a relative one)"
    )
    layers: Literal["all"] | Names = Field(
        "all", description="which tensors are taken, by how their names begin; those of another shape never are"
    )
    frozen: Names = Field((), description="tensors that are not trained, by how their names begin")

    @property
    def is_folder(self) -> bool:
        """Whether `package` is a path, and no version of a model.

        >>> [WarmStartConfig(package=text).is_folder for text in ("adult@champion", "adult/3", "adult", "./adult/3")]
        [False, False, False, True]
        """
        return _VERSION.fullmatch(self.package) is None


class ModelConfig(Section):
    """The families searched over, and what of a user's own they are made and fitted with."""

    families: Annotated[tuple[FamilyName, ...], BeforeValidator(one_or_many)] = Field(
        ("trees", "linear", "mlp", "tabm"), description="the defaults of each are tried first, in this order"
    )
    factory: str | None = Field(
        None,
        pattern=DOTTED,
        description="module:attribute; called with (params, input), gives the torch module of the family `own`, which"
        f" takes (numeric [n, f], categorical [n, c], tensors) and gives [n, k]; {_ALLOWED}",
    )
    loss: str | None = Field(
        None,
        pattern=DOTTED,
        description="module:attribute; called with (outputs [n, k], target [n]), gives each row's loss [n], for every"
        f" network; {_ALLOWED}",
    )
    train_fn: str | None = Field(
        None,
        pattern=DOTTED,
        description="module:attribute; called with a handle, fits the factory's module in its own way and gives its"
        f" state dict; {_ALLOWED}",
    )
    warm_start: WarmStartConfig | None = None

    @model_validator(mode="before")
    @classmethod
    def _a_factory_is_a_family(cls, value: Any) -> Any:
        """With a factory and no families named, its network is the only one."""
        if isinstance(value, dict) and value.get("factory") is not None and "families" not in value:
            return {**value, "families": [OWN]}
        return value

    @field_validator("families")
    @classmethod
    def _at_least_one(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value or len(set(value)) < len(value):
            raise ValueError("name at least one family, each once")
        return value

    @model_validator(mode="after")
    def _own_code_is_used(self) -> ModelConfig:
        if OWN in self.families and self.factory is None:
            raise ValueError("the family `own` needs model.factory: my_pkg.nets:build")
        if self.factory is not None and OWN not in self.families:
            raise ValueError("model.factory makes the family `own`: name it in model.families, or leave families out")
        if self.train_fn is not None and self.factory is None:
            raise ValueError("model.train_fn fits a network of your own: name its model.factory")
        networks = [name for name in self.families if name != "trees"]
        if self.loss is not None and networks == [OWN] and self.train_fn is not None:
            raise ValueError("model.train_fn has its own loss: leave model.loss out")
        for key in ("loss", "warm_start"):
            if getattr(self, key) is not None and not networks:
                raise ValueError(f"model.{key} is for networks, and model.families names none")
        return self
