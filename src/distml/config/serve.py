"""The section `serve`: the HTTP endpoint."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

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
    max_rows: int = Field(10_000, ge=1, description="rows in one request")
    max_body_mb: float = Field(16, gt=0)
