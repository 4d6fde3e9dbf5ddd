"""The registry's mirror in MLflow: registered model, versions and aliases, for people to look at.

The truth is in storage. The mirror is written after it and never read back.
"""

from __future__ import annotations

from typing import Any

from distml.registry.base import Version
from distml.tracking.mlflow import answering


class MlflowMirror:
    """Writes versions and the aliases `champion` and `challenger` to an MLflow registry.

    Raises `StorageError` when the server can't be reached.
    """

    def __init__(self, client: Any) -> None:
        self._client = client  # mlflow.tracking.MlflowClient

    def register(self, version: Version, source: str, tracking_run: str) -> None:
        """Mirrors a version as an MLflow model version with the tag `distml.version`; once only."""
        with answering(self._client.tracking_uri):
            self._create_model(version.name)
            if self._find(version) is None:
                self._client.create_model_version(
                    version.name,
                    source=source,
                    run_id=tracking_run,
                    tags={"distml.version": str(version.number), "distml.package_id": version.package_id},
                )

    def _create_model(self, name: str) -> None:
        from mlflow.exceptions import MlflowException

        try:
            self._client.create_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise

    def alias(self, version: Version, alias: str) -> None:
        """Sets `champion` or `challenger`; a version that becomes champion is no longer challenger."""
        with answering(self._client.tracking_uri):
            number = self._find(version)
            if number is None:
                return
            self._client.set_registered_model_alias(version.name, alias, number)
            other = "challenger" if alias == "champion" else "champion"
            aliases = self._client.get_registered_model(version.name).aliases
            if str(aliases.get(other)) == str(number):
                self._client.delete_registered_model_alias(version.name, other)

    def _find(self, version: Version) -> str | None:
        mirrored = self._client.search_model_versions(f"name = '{version.name}'")
        for candidate in mirrored:
            if candidate.tags.get("distml.version") == str(version.number):
                return candidate.version
        return None


def move_alias(uri: str, version: Version, alias: str) -> None:
    """Sets an alias in the registry at a URI, for someone who waits: a server that is away is not asked for minutes."""
    from mlflow.tracking import MlflowClient

    MlflowMirror(MlflowClient(tracking_uri=uri, registry_uri=uri)).alias(version, alias)
