"""Whether the augmentation that a config asks for goes with the table, and what it doesn't reach."""

from __future__ import annotations

from distml.config import RunConfig
from distml.errors import ConfigError
from distml.models import FAMILIES
from distml.schema import Column, Schema


def check_augmentation(config: RunConfig, schema: Schema) -> None:
    """Raises `ConfigError` for image keys without an image feature, tabular keys without another one, and for images
    that would be moved or cut out as a whole."""
    images = [column for column in schema.features if column.kind == "image"]
    for section, is_there, wanted in (
        ("image", bool(images), "an image"),
        ("tabular", len(images) < len(schema.features), "a number or a category"),
    ):
        chosen = getattr(config.augment, section)
        keys = [name for name, value in chosen if value != type(chosen).model_fields[name].default]
        if keys and not is_there:
            raise ConfigError(
                f"augment.{section} needs {wanted} among the features",
                received=f"{', '.join(keys)}, but every feature is {'of another kind' if not images else 'an image'}",
                where=f"augment.{section}",
                remedy="leave the section out",
            )
    for column in images:
        _check_size(config, column)


def _check_size(config: RunConfig, column: Column) -> None:
    assert column.shape is not None, "an image column has a shape"
    side = min(column.shape[:2])
    for key in ("shift", "cutout"):
        pixels = getattr(config.augment.image, key)
        if pixels >= side:
            raise ConfigError(
                f"augment.image.{key} leaves something of an image",
                received=f"{pixels} pixels, of images of {column.shape[0]} x {column.shape[1]} in column {column.name}",
                where=f"augment.image.{key}",
                remedy=f"give fewer than {side}, or a larger features.image.size",
            )


def not_augmented(config: RunConfig) -> list[str]:
    """Lines that name the families searched which augmentation is asked for and isn't for."""
    trees = [name for name in config.model.families if FAMILIES[name].kind == "trees" and config.augment.is_on]
    return [f"{name}: fitted on the rows as they are, as augmentation is for networks" for name in trees]
