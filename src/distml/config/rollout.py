"""The section `serve.rollout`: how a new version takes over from the one that answers."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated

from pydantic import BeforeValidator, Field, field_validator

from distml.config.base import Section, one_or_many

KEY = "x-assignment-key"

Percents = Annotated[tuple[float, ...], BeforeValidator(one_or_many)]


class RollbackConfig(Section):
    """What a new version may do before the one before it comes back; null: not looked at."""

    error_rate: float | None = Field(0.01, ge=0, lt=1, description="share of its requests that it fails")
    latency_p99_ms: float | None = Field(None, gt=0, description="that 1 % of its requests may exceed")


class RolloutConfig(Section):
    """How a new version takes over from the one that answers."""

    shadow_s: float = Field(0, ge=0, description="how long it only listens: it is asked too and its answers go nowhere")
    canary: Percents = Field((100,), description="percentages of the requests, one after the other; the last is 100")
    step_s: float = Field(60, ge=0, description="how long each of them lasts, at least")
    min_requests: int = Field(50, ge=0, description="that it answers, or hears as a shadow, before a step is passed")
    watch_s: float = Field(300, ge=0, description="how long it can still be rolled back by itself, at 100 %")
    rollback_on: RollbackConfig = RollbackConfig()
    key: str = Field(
        KEY, description="request header whose value keeps one version", pattern=r"^[a-z0-9!#$%&'*+.^_`|~-]{1,64}$"
    )

    @field_validator("canary")
    @classmethod
    def _rising(cls, percents: tuple[float, ...]) -> tuple[float, ...]:
        rises = all(a < b for a, b in pairwise((0.0, *percents)))
        if not rises or not percents or percents[-1] != 100:
            raise ValueError("percentages rise from above 0 to 100")
        return percents

    @field_validator("key", mode="before")
    @classmethod
    def _lower(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @property
    def is_at_once(self) -> bool:
        """Whether a new version has all requests from its first moment."""
        return not self.shadow_s and len(self.canary) == 1
