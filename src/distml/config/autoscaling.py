"""The section `serve.autoscaling`: how many replicas answer."""

from __future__ import annotations

from pydantic import Field, model_validator

from distml.config.base import Section


class AutoscalingConfig(Section):
    """Ray Serve's autoscaling of replicas."""

    min_replicas: int = Field(1, ge=0)
    max_replicas: int = Field(1, ge=1)
    target_ongoing_requests: float = Field(2, gt=0)

    @model_validator(mode="after")
    def _ordered(self) -> AutoscalingConfig:
        if self.min_replicas > self.max_replicas:
            raise ValueError(f"min_replicas {self.min_replicas} is above max_replicas {self.max_replicas}")
        return self
