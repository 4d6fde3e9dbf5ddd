"""The sections `evaluate` and `gates`: what is measured on the test rows, and what must hold to go live."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from distml.config.base import Names, Section


class EvaluateConfig(Section):
    """What is measured on the test rows beside the overall metrics."""

    slices: Names = Field((), description="columns to break metrics down by, beside data.roles.group")


class GateConfig(Section):
    """One metric's conditions for promotion, in the metric's own unit and direction."""

    threshold: float | None = Field(None, description="must be at least this (at most, for metrics to minimise)")
    min_absolute_change: float | None = Field(None, ge=0, description="must beat the champion by this much")


class GatesConfig(BaseModel):
    """Metric name to conditions, and the conditions that are not about one metric."""

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, GateConfig]

    significance: float | None = Field(
        0.05,
        ge=0.005,  # 300 resamples can't tell smaller ones apart
        lt=1,
        description="a champion is replaced only if P(no better), by paired bootstrap, is below this",
    )
    latency_p99_ms: float | None = Field(None, gt=0, description="p99 of one-row predictions, in process")

    @property
    def metrics(self) -> dict[str, GateConfig]:
        return dict(self.__pydantic_extra__ or {})
