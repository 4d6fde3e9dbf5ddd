"""Runs: the record that each pass of the lifecycle keeps of itself under `runs/<id>/run.json`."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Any

from distml.config import RunConfig
from distml.errors import DistmlError, NotFoundError, UsageError, root_cause
from distml.storage import Storage


class RunRecord:
    """One run's record, written at every change. States: running, finished, failed, interrupted."""

    def __init__(self, storage: Storage, value: dict[str, Any]) -> None:
        self.storage = storage
        self.value = value

    @classmethod
    def start(cls, storage: Storage, config: RunConfig) -> RunRecord:
        now = datetime.now(UTC)
        run = f"{config.name}-{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
        value: dict[str, Any] = {
            "run": run, "name": config.name, "state": "running", "started_at": now.isoformat(timespec="milliseconds"),
            "config": config.to_public_dict(), "stages": {}, "seconds": {},
        }  # fmt: skip
        record = cls(storage, value)
        record.write()
        return record

    def __enter__(self) -> RunRecord:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """Notes how the run ended, if it wasn't well; a run that was refused before anything was made leaves none."""
        if error is None:
            return
        cause = root_cause(error)
        if isinstance(cause, UsageError) and not self.value["stages"]:
            self.storage.delete(f"runs/{self.run}")
            for key in ("runs", "prepared", ""):
                self.storage.delete_if_empty(key)
        elif isinstance(error, KeyboardInterrupt):
            self.write(state="interrupted")
        else:
            told = cause.to_dict() if isinstance(cause, DistmlError) else {"type": type(cause).__name__}
            self.write(state="failed", error=told)

    @property
    def run(self) -> str:
        return self.value["run"]

    def key(self, name: str) -> str:
        """The storage key of a file of the run."""
        return f"runs/{self.run}/{name}"

    def write(self, **changes: Any) -> None:
        self.value.update(changes)
        self.storage.write_json(self.key("run.json"), self.value)

    def stage(self, name: str, key: str, seconds: float) -> None:
        """Notes a finished stage: the hash of what it was made from, and its time."""
        self.value["stages"][name] = key
        self.value["seconds"][name] = round(seconds, 3)
        self.write()


def list_runs(storage: Storage, name: str | None = None) -> list[dict[str, Any]]:
    """Records of all runs (of one model, by `name`), oldest first."""
    keys = (f"runs/{run}/run.json" for run in storage.list("runs"))
    records = [storage.read_json(key) for key in keys if storage.exists(key)]
    chosen = [record for record in records if name is None or record["name"] == name]
    return sorted(chosen, key=lambda record: record["started_at"])


def read_run(storage: Storage, run: str) -> dict[str, Any]:
    """A run's record; `NotFoundError` with the runs there are."""
    try:
        return storage.read_json(f"runs/{run}/run.json")
    except NotFoundError as error:
        newest = [record["run"] for record in list_runs(storage)][-5:]
        raise NotFoundError(
            "a run is named by its id",
            received=run,
            where=storage.root,
            remedy=f"newest runs: {', '.join(newest) or 'none'}; `distml runs` lists them all",
        ) from error
