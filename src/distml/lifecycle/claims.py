"""What of storage is needed, and by what.

Kept in full are the newest runs of each model and those under way; of registered versions the newest, the champion, the
one before it and those served, with their packages and their runs' records. A stage's folder is needed while anything
kept refers to it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any

from pydantic import ValidationError

from distml.config import RunConfig
from distml.lifecycle.evaluate import evaluated_key
from distml.lifecycle.liveness import is_here, owner_is_alive, run_state
from distml.lifecycle.runs import list_runs
from distml.lifecycle.serving import rollouts
from distml.lifecycle.serving.live import LiveRecord, services
from distml.lifecycle.stages import FOLDERS, folder_of, result_in
from distml.reading.handed import FOLDER as TABLES
from distml.registry import StoreRegistry, Version
from distml.storage import Storage


@dataclass(frozen=True, kw_only=True)
class Retention:
    """How many of the newest are kept, per model."""

    runs: int = 10
    versions: int = 5


@dataclass(frozen=True, kw_only=True)
class Claims:
    """keys: run and stage folders that are needed; excess: versions beyond retention whose package nothing needs."""

    keys: frozenset[str]
    excess: tuple[Version, ...]
    living_since: float  # start of the oldest run under way, in seconds since 1970; infinite without any
    unfinished_since: float  # as above, runs that can be resumed counted too


def claims_of(storage: Storage, retention: Retention) -> Claims:
    """What is needed now."""
    records = list_runs(storage)
    living = [record for record in records if run_state(record) == "running"]
    in_full = [*living, *_newest(records, retention.runs)]
    unfinished = [record for record in in_full if run_state(record) != "finished"]
    keys = {f"runs/{record['run']}" for record in in_full}
    keys |= {key for record in in_full for key in _stage_folders(storage, record)}
    versions, kept = _versions(storage, retention.versions)
    keys |= {_package_folder(version) for version in kept}
    excess = [version for version in versions if _package_folder(version).startswith(f"{FOLDERS['train']}/")
              and _package_folder(version) not in keys]  # fmt: skip
    kept_runs = {version.run for version in versions if version not in excess}
    keys |= {f"runs/{run}" for run in kept_runs}  # their config serves them
    named = [record for record in records if record["run"] in kept_runs]
    keys |= {key for record in (*in_full, *named) for key in _tables(storage, record)}
    return Claims(
        keys=frozenset(keys), excess=tuple(excess), living_since=_start(living), unfinished_since=_start(unfinished)
    )


def _newest(records: list[dict[str, Any]], num: int) -> list[dict[str, Any]]:
    """The newest records of each model, out of records in the order of their start."""
    by_name: dict[str, list[dict[str, Any]]] = {}
    for record in records:
        by_name.setdefault(record["name"], []).append(record)
    return [record for known in by_name.values() for record in known[max(0, len(known) - num) :]]


def _stage_folders(storage: Storage, record: dict[str, Any]) -> Iterable[str]:
    for stage, key in record["stages"].items():
        if stage == "evaluate":
            yield from _evaluation(storage, record, key)
        elif stage in FOLDERS:
            yield folder_of(stage, key)


def _tables(storage: Storage, record: dict[str, Any]) -> Iterable[str]:
    """Tables handed in from Python, without which a run is neither resumed nor its model trained again."""
    prefix = f"{storage.uri(TABLES)}/"
    data = record["config"].get("data", {})
    for source in (data.get("source"), data.get("test")):
        if source and source["uri"].startswith(prefix):
            yield f"{TABLES}/{source['uri'].removeprefix(prefix)}"


def _evaluation(storage: Storage, record: dict[str, Any], trained_key: str) -> Iterable[str]:
    try:
        config = RunConfig.model_validate(record["config"])
    except ValidationError:
        return  # another version of distml wrote it: it couldn't be taken up
    trained = result_in(storage, folder_of("train", trained_key))
    if trained is not None:  # else its package is gone, and its name with it
        yield folder_of("evaluate", evaluated_key(config, trained_key, trained["package_id"]))


def _versions(storage: Storage, num: int) -> tuple[list[Version], list[Version]]:
    """Versions that have their package, and those of them that are kept."""
    registry = StoreRegistry(storage)
    served = {live.name: _served(storage, live) for live in services(storage)}
    all_versions: list[Version] = []
    kept: list[Version] = []
    for name in registry.names():
        versions = registry.versions(name)
        leading = [known for known in (registry.champion(name), registry.previous(name)) if known]
        special = {version.number for version in (*leading, *versions[max(0, len(versions) - num) :])}
        all_versions += [version for version in versions if not version.pruned_at]
        special |= served.get(name, set())
        kept += [version for version in versions if not version.pruned_at and version.number in special]
    return all_versions, kept


def _served(storage: Storage, live: LiveRecord) -> set[int]:
    """The versions that replicas hold, or may be told to go back to, unless the service is known to be gone."""
    record = live.last()
    if record is None or (is_here(record) and not owner_is_alive(record)):
        return set()
    _, rollout = rollouts.read(storage, live.name)
    taking_part = [] if rollout is None else [rollout.challenger, *filter(None, [rollout.before])]
    return {record["version"], *(deployed.version for deployed in taking_part)}


def _package_folder(version: Version) -> str:
    """The stage folder that a version's package is in."""
    return "/".join(PurePosixPath(version.package).parts[:2])


def _start(records: list[dict[str, Any]]) -> float:
    return min((datetime.fromisoformat(record["started_at"]).timestamp() for record in records), default=math.inf)
