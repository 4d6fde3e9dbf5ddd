"""The section `model`: which models are tried."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, field_validator

from distml.config.base import Section, one_or_many


class ModelConfig(Section):
    """The families searched over."""

    families: Annotated[tuple[Literal["linear", "mlp", "trees"], ...], BeforeValidator(one_or_many)] = (
        "linear",
        "mlp",
        "trees",
    )

    @field_validator("families")
    @classmethod
    def _at_least_one(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value or len(set(value)) < len(value):
            raise ValueError("name at least one family, each once")
        return value
