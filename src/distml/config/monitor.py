"""The section `monitor`: how live traffic is watched."""

from __future__ import annotations

from pydantic import Field

from distml.config.base import Section


class MonitorConfig(Section):
    """How live traffic is compared with the baseline."""

    window_rows: int = Field(1000, ge=50, description="rows per comparison")
    false_alarm_rate: float = Field(0.01, gt=0, lt=1, description="per window over all columns (Benjamini-Hochberg)")
    min_effect: float = Field(0.1, ge=0, description="smallest population stability index that counts as drift")
    flush_interval_s: float = Field(1.0, gt=0, description="how often a replica sends its summary")
