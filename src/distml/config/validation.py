"""The section `validate`: what a table must satisfy before anything is trained on it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from distml.config.base import Section


class ValidateConfig(Section):
    """What a table must satisfy before anything is trained on it."""

    max_missing: float = Field(0.95, ge=0, le=1, description="a feature with a larger share missing is a finding")
    missing: Literal["warn", "fail"] = Field("warn", description="what happens past max_missing")
    overlap: Literal["warn", "drop", "fail"] = Field(
        "drop",
        description="test rows that also stand in the source: reported, dropped from training, or refused",
    )
