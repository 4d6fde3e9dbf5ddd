"""What the sections of a run config are made of.

A section is a frozen value that refuses unknown keys. It holds what a user may choose and its default, and rules that
need nothing but the config itself. It knows nothing of the data; what depends on the table is resolved by the
lifecycle.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

Scalar = bool | int | float | str
Task = Literal["binary", "multiclass", "regression"]
Kind = Literal["numeric", "categorical", "boolean", "datetime", "text", "image"]
Action = Literal["drop", "null", "clip", "quarantine", "fail"]


def one_or_many(value: Any) -> Any:
    return value if value is None or isinstance(value, (list, tuple)) else [value]


Names = Annotated[tuple[str, ...], BeforeValidator(one_or_many)]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, protected_namespaces=())


def as_text(value: Scalar) -> str:
    """A scalar as a categorical value is written: true, 3, 2.5, text.

    >>> as_text(True), as_text(3.0), as_text("a")
    ('true', '3', 'a')
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


class ResourcesConfig(Section):
    """What one piece of work reserves on the cluster."""

    cpu: float = Field(1, gt=0, description="CPUs, or a share of one")
    gpu: float = Field(0, ge=0, description="GPUs, or a share of one")
