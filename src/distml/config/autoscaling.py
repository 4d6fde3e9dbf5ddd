"""The section `serve.autoscaling`: how many replicas answer, and how soon that changes.

The names are Ray Serve's; the defaults are for replicas that predict what is waiting in one call.
"""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, Field, model_validator

from distml.config.base import Section


class AutoscalingConfig(Section):
    """Ray Serve's autoscaling of replicas, by the requests that each has taken and not yet answered."""

    model_config = ConfigDict(allow_inf_nan=False)

    min_replicas: int = Field(1, ge=0, description="0 ends the last one, too, when nobody asks")
    max_replicas: int = Field(1, ge=1)
    initial_replicas: int | None = Field(
        None, ge=1, description="at the first deployment; null: min_replicas, but 1 at least"
    )
    target_ongoing_requests: float = Field(8, gt=0, description="of one replica, on average")
    upscale_delay_s: float = Field(2, ge=0, description="how long there must be too few")
    downscale_delay_s: float = Field(60, ge=0, description="how long there must be too many")
    downscale_to_zero_delay_s: float = Field(300, ge=0, description="the same for the last one, with min_replicas: 0")
    upscaling_factor: float = Field(1, gt=0, description="share of the missing replicas that one step starts")
    downscaling_factor: float = Field(0.5, gt=0, description="share of the spare replicas that one step ends")
    metrics_interval_s: float = Field(1, gt=0, description="how often a replica tells what it has under way")
    look_back_period_s: float = Field(5, gt=0, description="what is under way is averaged over this long")

    @model_validator(mode="after")
    def _ordered(self) -> AutoscalingConfig:
        least, most, initial = self.min_replicas, self.max_replicas, self.initial_replicas
        if least > most:
            raise ValueError(f"min_replicas {least} is above max_replicas {most}")
        if initial is not None and not least <= initial <= most:
            raise ValueError(f"initial_replicas {initial} is not between min_replicas {least} and max_replicas {most}")
        return self

    @model_validator(mode="after")
    def _settled(self) -> AutoscalingConfig:
        """A decision rests on what was seen since the one before it, or replicas come and go with every wave."""
        if self.look_back_period_s <= self.metrics_interval_s:
            raise ValueError(
                f"look_back_period_s {self.look_back_period_s:g} is not above metrics_interval_s "
                f"{self.metrics_interval_s:g}: nothing would be averaged"
            )
        for name in ("downscale_delay_s", "downscale_to_zero_delay_s"):
            if getattr(self, name) < self.look_back_period_s:
                raise ValueError(
                    f"{name} {getattr(self, name):g} is below look_back_period_s {self.look_back_period_s:g}: "
                    "replicas would end because of requests that are still averaged, and be started again"
                )
        return self

    def serve_options(self) -> dict[str, Any]:
        """Ray Serve's `autoscaling_config`. A version is loaded by a replica before it counts as deployed, so one is
        started even where none need stay.

        >>> AutoscalingConfig(min_replicas=0).serve_options()["initial_replicas"]
        1
        """
        return {**self.model_dump(), "initial_replicas": self.num_initial}

    @property
    def num_initial(self) -> int:
        """Replicas at the first deployment."""
        return max(1, self.min_replicas if self.initial_replicas is None else self.initial_replicas)
