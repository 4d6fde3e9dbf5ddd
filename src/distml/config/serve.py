"""The section `serve`: the HTTP endpoint."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from distml.config.auth import AuthConfig
from distml.config.autoscaling import AutoscalingConfig
from distml.config.base import Section
from distml.config.rollout import RolloutConfig


class ServeConfig(Section):
    """The HTTP endpoint."""

    route: str | None = Field(None, description="null: the run config's name", pattern=r"^/[A-Za-z0-9_./-]*$")
    host: Literal["127.0.0.1"] = Field("127.0.0.1", description="loopback; put a proxy with TLS before it to go wider")
    port: int = Field(8000, ge=1024, le=65535)
    autoscaling: AutoscalingConfig = AutoscalingConfig()
    rollout: RolloutConfig = RolloutConfig()
    auth: AuthConfig | None = None
    num_cpus: float = Field(0.25, gt=0, description="CPUs that a replica reserves")
    num_gpus: float = Field(0, ge=0, description="GPUs that a replica reserves, or a share of one")
    timeout_s: float = Field(10, gt=0, description="for one request, unless its X-Request-Timeout says less")
    body_timeout_s: float = Field(10, gt=0, description="for one request's body to arrive")
    max_body_mb: float = Field(16, gt=0, description="of one request, after it is unpacked")
    max_rows: int = Field(10_000, ge=1, description="rows in one request")
    max_depth: int = Field(32, ge=4, description="how deep lists and objects lie in each other in one request")
    max_batch_rows: int = Field(512, ge=1, description="rows of waiting requests that are predicted in one call")
    max_queued: int = Field(256, ge=1, description="requests waiting in one replica; more are answered 503 at once")

    @model_validator(mode="after")
    def _scales_before_it_refuses(self) -> ServeConfig:
        target = self.autoscaling.target_ongoing_requests
        if target >= self.max_queued:
            raise ValueError(
                f"autoscaling.target_ongoing_requests {target:g} is not below max_queued {self.max_queued}: "
                "requests would be refused before another replica starts"
            )
        return self
