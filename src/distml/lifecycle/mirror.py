"""MLflow's registry after ours: what counts is in storage, and people look there too."""

from __future__ import annotations

from distml.errors import DistmlError
from distml.lifecycle.configs import config_of
from distml.registry import Version
from distml.storage import Storage


def mirror_champion(storage: Storage, version: Version) -> str | None:
    """Moves the alias in MLflow's registry after the champion; why it couldn't be moved, None when it was.

    Never raises for a server that doesn't answer: what counts is in storage.
    """
    try:
        uri = config_of(storage, version).tracking.uri
        if uri is None and not storage.exists("mlflow/mlflow.db"):
            return None  # nothing was ever mirrored
        from distml.registry.mlflow import move_alias
        from distml.secrets import with_secrets
        from distml.tracking.mlflow import embedded_uri

        move_alias(with_secrets(uri or embedded_uri(storage.root)), version, "champion")
    except DistmlError as error:
        return str(error)
    return None
