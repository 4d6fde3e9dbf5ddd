"""Runs: the record that each pass of the lifecycle keeps of itself under `runs/<id>/run.json`."""

from __future__ import annotations

import secrets
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from distml.config import RunConfig
from distml.config.kept import read_kept
from distml.errors import DistmlError, NotFoundError, UsageError, root_cause
from distml.lifecycle.liveness import is_here, run_state, this_process
from distml.storage import Storage


class RunRecord:
    """One run's record, written at every change. States: running, finished, failed, interrupted.

    `goes_on`: the run was cut off and is gone on with.
    """

    def __init__(self, storage: Storage, value: dict[str, Any], *, goes_on: bool = False) -> None:
        self.storage = storage
        self.value = value
        self.goes_on = goes_on

    @classmethod
    def start(cls, storage: Storage, config: RunConfig, until: str = "gate", retrains: str | None = None) -> RunRecord:
        now = datetime.now(UTC)
        run = f"{config.name}-{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
        value: dict[str, Any] = {
            "run": run, "name": config.name, "state": "running", "started_at": now.isoformat(timespec="milliseconds"),
            "until": until, "retrains": retrains, "config": config.to_public_dict(), "stages": {}, "seconds": {},
            "lost_password": config.to_public_dict() != config.to_dict(), **this_process(),
        }  # fmt: skip
        record = cls(storage, value)
        record.write()
        return record

    @classmethod
    def reopen(cls, storage: Storage, run: str, *, force: bool = False) -> RunRecord:
        """The record of a run that was cut off or failed, running again. Parameters and errors: `resumable`."""
        record = cls.resumable(storage, run, force=force)
        value = record.value
        resumed = [*value.get("resumed_at", ()), datetime.now(UTC).isoformat(timespec="milliseconds")]
        value.pop("error", None)
        record.write(state="running", resumed_at=resumed, **this_process())
        return record

    @classmethod
    def resumable(cls, storage: Storage, run: str, *, force: bool = False) -> RunRecord:
        """The record of a run that can be gone on with, nothing changed yet.

        force: its process is gone, though its machine can't be asked from here. Raises `UsageError` for one that has
        finished, still runs, or had a password in its config.
        """
        value = read_run(storage, run)
        if value["state"] == "finished":
            raise UsageError("a run is resumed if it has not finished", received=run, remedy=f"distml show {run}")
        if run_state(value) == "running" and not (force and not is_here(value)):
            raise UsageError(
                "a run is resumed when the process that carried it out is gone",
                received=f"process {value.get('pid')} on {value.get('host')}",
                where=run,
                remedy="wait for it or end it first" + ("" if is_here(value) else "; if that machine is gone: --force"),
            )
        if value.get("lost_password"):
            raise UsageError(
                "a run's record holds no password, so what needs one is named by a variable",
                received="a URI with a password in the config",
                where=run,
                remedy="write it as ${VARIABLE} and give the run's command again: it goes on from what is finished",
            )
        return cls(storage, value, goes_on=True)

    @property
    def config(self) -> RunConfig:
        """The run's config, its storage being where the record was found."""
        return read_kept(self.value["config"], self.storage.root, self.value["run"])

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
        was_finished = self.value["stages"].get(name) == key  # before the run was cut off
        self.value["stages"][name] = key
        if not was_finished:
            self.value["seconds"][name] = round(seconds, 3)
        self.write()


def list_runs(storage: Storage, name: str | None = None) -> list[dict[str, Any]]:
    """Records of all runs (of one model, by `name`), oldest first."""
    records = []
    for run in storage.list("runs"):
        with suppress(NotFoundError):  # a folder without a record, or one that was removed meanwhile
            records.append(storage.read_json(f"runs/{run}/run.json"))
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
