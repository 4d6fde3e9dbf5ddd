"""Whether the families that a config names can be fitted on its table."""

from __future__ import annotations

from distml.config import RunConfig
from distml.models import FAMILIES
from distml.schema import Schema


def check_families(config: RunConfig, schema: Schema) -> None:
    """Raises `ConfigError` for a family of images where no feature is one."""
    has_images = any(column.kind == "image" for column in schema.features)
    for name in config.model.families:
        FAMILIES[name].check_columns(has_images=has_images)
