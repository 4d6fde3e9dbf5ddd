"""The section `search`: how models are searched for."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from distml.config.base import ResourcesConfig, Scalar, Section


class PointConfig(Section):
    """A family and values for some of its parameters; the sampler draws the others."""

    family: str
    params: dict[str, Scalar | None] = Field({}, description="parameter: value")


class SearchConfig(Section):
    """The search over families and their parameters."""

    num_samples: int = Field(20, ge=1, description="trials")
    time_budget_s: float | None = Field(None, gt=0, description="no trial starts after this; running ones are stopped")
    max_concurrent_trials: int | Literal["auto"] = "auto"
    sampler: Literal["tpe", "random"] = "tpe"
    scheduler: Literal["asha", "none"] = "asha"
    metric: str = Field("auto", description="auto: roc_auc, log_loss or rmse, by task")
    resources_per_trial: ResourcesConfig = ResourcesConfig()
    points_to_evaluate: tuple[PointConfig, ...] = Field((), description="tried first, before the families' defaults")
    space: dict[str, dict[str, Any]] = Field(
        {},
        description="family: {parameter: value, {log: [low, high]}, {uniform: ...}, {int: ...} or {choice: [...]}}",
    )
