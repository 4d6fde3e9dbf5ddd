"""Training a champion again: the lifecycle that made it, on the table that it is told, its settings tried first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from distml.config import PointConfig, RunConfig, SourceConfig, with_absolute_paths
from distml.config.source import written_like
from distml.errors import ConfigError, DataError
from distml.lifecycle.configs import config_of
from distml.lifecycle.prepare import prepare_key
from distml.lifecycle.prepared import Prepared
from distml.reading.sql import one_state
from distml.registry import Version
from distml.schema import Schema
from distml.storage import Storage


def retrain_config(storage: Storage, champion: Version, uri: str | None = None) -> RunConfig:
    """The run config that trains a champion again, its family and parameters as the search's first point.

    uri: the table to learn from; None for `retrain.data.source` of the champion's own config, or the table before.
    """
    config = config_of(storage, champion)
    source = config.retrain.data.source or config.data.source
    if uri is not None:
        if uri.startswith("sql:"):
            raise ConfigError(
                "a table in a database needs a query", received=uri, where="--data",
                remedy="write uri and query in the config's retrain.data.source, or point --data at a file",
            )  # fmt: skip
        source = SourceConfig.model_validate(written_like(config.data.source.model_dump(), {"uri": uri}))
    lineage = storage.read_json(f"{champion.package}/manifest.json")["lineage"]
    trial = lineage["trial"]
    point = PointConfig(family=trial["family"], params=trial["params"])
    again = config.model_copy(
        update={
            "data": config.data.model_copy(update={"source": source}),
            "search": config.search.model_copy(update={"points_to_evaluate": (point,)}),
        }
    )
    return _inheriting(again, champion, lineage)


def _inheriting(config: RunConfig, champion: Version, lineage: Mapping[str, Any]) -> RunConfig:
    """The config with the champion's cuts for another table than its own, so that its test rows stay test rows.

    A split by time or as predefined follows the config's rule again: the latest rows are others now.
    """
    if lineage["split"]["dealing"]["kind"] not in ("random", "stratified", "group"):
        return config
    table = with_absolute_paths(config)
    with one_state(*(source for source in (table.data.source, table.data.test) if source is not None)):
        if prepare_key(table) == lineage["prepared"]:
            return config
    return config.model_copy(update={"split": config.split.model_copy(update={"inherit": champion.label})})


def check_columns(storage: Storage, champion: Version, prepared: Prepared) -> None:
    """Raises `DataError` where a table lacks a column that the champion reads: it could never be judged on it."""
    schema = Schema.from_dict(storage.read_json(f"{champion.package}/manifest.json")["schema"])
    kept = {column.name for column in prepared.schema.kept}
    absent = [column.name for column in schema.inputs if column.name not in kept]
    if absent:
        raise DataError(
            "a champion is trained again on a table of its columns",
            received=f"no column {', '.join(absent)}, which {champion.label} reads",
            where="retrain.data.source",
            remedy="add it, null where it isn't known, or give a model of another schema another name",
        )
