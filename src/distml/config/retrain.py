"""The section `retrain`: how a model is trained again."""

from __future__ import annotations

from pydantic import Field

from distml.config.base import Section
from distml.config.source import SourceConfig


class RetrainDataConfig(Section):
    """What a retraining learns from."""

    source: SourceConfig | None = Field(
        None, description="the table, written as data.source is; what it doesn't say is as there. null: data.source"
    )


class RetrainConfig(Section):
    """How a model is trained again."""

    data: RetrainDataConfig = RetrainDataConfig()
