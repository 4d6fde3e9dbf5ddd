"""What a search may take: seconds by the clock, and hours of devices over all its trials. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from distml.config import SearchConfig


@dataclass(frozen=True, kw_only=True)
class Budget:
    """num_devices: what one trial reserves, GPUs where it asks for any, else CPUs; None: no limit."""

    time_s: float | None = None
    device_hours: float | None = None
    num_devices: float = 1.0

    @classmethod
    def of(cls, config: SearchConfig) -> Budget:
        asked = config.resources_per_trial
        devices = (asked.gpu or asked.cpu) * config.workers_per_trial
        return cls(time_s=config.time_budget_s, device_hours=config.device_hours, num_devices=devices)

    def used_h(self, seconds: Iterable[float]) -> float:
        """Device-hours of trials that have taken so many seconds each, ended and running ones.

        >>> Budget(num_devices=2).used_h([900, 900])
        1.0
        """
        return sum(seconds) * self.num_devices / 3600

    def is_spent(self, elapsed_s: float, seconds: Iterable[float] = ()) -> bool:
        """Whether no trial may start and running ones stop. elapsed_s: of the search; seconds: of each trial.

        >>> Budget(time_s=60).is_spent(59.9), Budget(device_hours=0.5).is_spent(59.9, [900, 900])
        (False, True)
        """
        if self.time_s is not None and elapsed_s >= self.time_s:
            return True
        return self.device_hours is not None and self.used_h(seconds) >= self.device_hours

    def left_s(self, elapsed_s: float, seconds: Iterable[float], num_running: int) -> float | None:
        """How long the trials that run now may go on, if none starts or ends; None without a limit, never below 0.

        >>> round(Budget(device_hours=1, num_devices=2).left_s(0, [600], num_running=2))
        600
        """
        limits = [] if self.time_s is None else [self.time_s - elapsed_s]
        if self.device_hours is not None:
            hours = self.device_hours - self.used_h(seconds)
            limits.append(hours * 3600 / (self.num_devices * max(num_running, 1)))
        return max(min(limits), 0.0) if limits else None
