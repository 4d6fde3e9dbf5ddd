"""The section `tracking`: where runs are logged."""

from __future__ import annotations

from pydantic import Field

from distml.config.base import Section


class TrackingConfig(Section):
    """Where MLflow keeps runs and registered models."""

    uri: str | None = Field(None, description="null: an SQLite database under storage")
    experiment: str | None = Field(None, description="null: the run config's name")
    wait_s: float = Field(
        30, ge=0, description="how long a run waits at its end for a server that is away; what waits for it is kept"
    )
    system_metrics: bool = Field(False, description="log how busy the driver's machine is: processor, memory, GPUs")
    system_interval_s: float = Field(10, gt=0, description="seconds between two readings of it")
