"""The section `tracking`: where runs are logged."""

from __future__ import annotations

from pydantic import Field

from distml.config.base import Section


class TrackingConfig(Section):
    """Where MLflow keeps runs and registered models."""

    uri: str | None = Field(None, description="null: an SQLite database under storage")
    experiment: str | None = Field(None, description="null: the run config's name")
