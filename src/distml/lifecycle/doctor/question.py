"""`Question`: what of a config the doctor has to know."""

from __future__ import annotations

from dataclasses import dataclass

from distml.cluster.working_dir import paths_of
from distml.config import RunConfig, ServeConfig, with_absolute_paths
from distml.config.auth import AuthConfig
from distml.storage import Storage


@dataclass(frozen=True, kw_only=True)
class Question:
    """storage: a path or URI, None for none named; own: paths that no job takes along, as `paths_of` gives them."""

    storage: str | None = None
    tracking_uri: str | None = None
    host: str = ServeConfig().host
    port: int = ServeConfig().port
    auth: AuthConfig | None = None
    own: tuple[str, ...] = ()
    is_of_config: bool = False

    @classmethod
    def of(cls, config: RunConfig | None, storage: str | None) -> Question:
        """storage: over the config's."""
        if config is None:
            return cls(storage=None if storage is None else _absolute(storage))
        config = with_absolute_paths(config)
        return cls(
            storage=config.storage if storage is None else _absolute(storage),
            tracking_uri=config.tracking.uri,
            host=config.serve.host,
            port=config.serve.port,
            auth=config.serve.auth,
            own=tuple(paths_of(config)),
            is_of_config=True,
        )


def _absolute(storage: str) -> str:
    return storage if "://" in storage else Storage(storage).root
