"""The sections `serve`, `monitor` and `retrain`: the live side."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from distml.config.base import Section
from distml.config.source import SourceConfig


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


class ServeConfig(Section):
    """The HTTP endpoint."""

    route: str | None = Field(None, description="null: the run config's name", pattern=r"^/[A-Za-z0-9_./-]*$")
    host: Literal["127.0.0.1"] = Field("127.0.0.1", description="loopback; put a proxy with TLS before it to go wider")
    port: int = Field(8000, ge=1024, le=65535)
    autoscaling: AutoscalingConfig = AutoscalingConfig()
    num_cpus: float = Field(0.25, gt=0, description="CPUs that a replica reserves")
    max_rows: int = Field(10_000, ge=1, description="rows in one request")
    max_body_mb: float = Field(16, gt=0)


class MonitorConfig(Section):
    """How live traffic is compared with the baseline."""

    window_rows: int = Field(1000, ge=50, description="rows per comparison")
    false_alarm_rate: float = Field(0.01, gt=0, lt=1, description="per window over all columns (Benjamini-Hochberg)")
    min_effect: float = Field(0.1, ge=0, description="smallest population stability index that counts as drift")
    flush_interval_s: float = Field(1.0, gt=0, description="how often a replica sends its summary")


class RetrainDataConfig(Section):
    """What a retraining learns from."""

    source: SourceConfig | None = Field(
        None, description="the table, written as data.source is; what it doesn't say is as there. null: data.source"
    )


class RetrainConfig(Section):
    """How a model is trained again."""

    data: RetrainDataConfig = RetrainDataConfig()
