"""Training a champion again: the lifecycle that made it, on the table that it is told, its settings tried first."""

from __future__ import annotations

from distml.config import PointConfig, RunConfig, SourceConfig
from distml.config.source import written_like
from distml.errors import ConfigError
from distml.lifecycle.deploy import config_of
from distml.registry import Version
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
    data = config.data.model_copy(update={"source": source})
    trial = storage.read_json(f"{champion.package}/manifest.json")["lineage"]["trial"]
    point = PointConfig(family=trial["family"], params=trial["params"])
    search = config.search.model_copy(update={"points_to_evaluate": (point,)})
    return config.model_copy(update={"data": data, "search": search})
