"""`plan`: what a run would do, without doing it: its stages, its trials, what they take of the cluster.

It reads what `run` would read first, and finds each stage's result under the key that `run` would give it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from distml.cluster.capacity import Capacity
from distml.cluster.demand import check, memory_warnings, tightness
from distml.config import RunConfig, with_absolute_paths
from distml.lifecycle.beginning import num_trials
from distml.lifecycle.estimate import Timing, Work, scaled_s, timings, trial_seconds, untold
from distml.lifecycle.evaluate import evaluated_key
from distml.lifecycle.extent import Extent, extent_of, feature_bytes
from distml.lifecycle.preflight import check_choices, check_config
from distml.lifecycle.prepare import check_source, prepare_key
from distml.lifecycle.prepared import Prepared
from distml.lifecycle.runs import list_runs
from distml.lifecycle.search import search_key
from distml.lifecycle.stages import RESULT, Stage, folder_of, result_in
from distml.lifecycle.streaming import held_bytes
from distml.lifecycle.train import train_key
from distml.lifecycle.warm import with_named_version
from distml.lifecycle.where import where_to_prepare
from distml.models import FAMILIES
from distml.secrets import with_secrets
from distml.storage import Storage
from distml.tune.budget import Budget
from distml.tune.log import TrialLog

State = Literal["cached", "goes on", "runs", "depends"]


@dataclass(frozen=True, kw_only=True)
class StagePlan:
    """A stage: `key` is its result's, None while it isn't known; `seconds` None where nothing tells them."""

    stage: str
    state: State
    key: str | None = None
    note: str = ""
    seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class TrialsPlan:
    """The search: trials in all, those of a search that was cut off, and how many at once."""

    num_samples: int
    num_ended: int
    num_begun: int
    at_once: int

    @property
    def num_left(self) -> int:
        return self.num_samples - self.num_ended


@dataclass(frozen=True, kw_only=True)
class Plan:
    """rows: of each table, None where they can't be told; feature_bytes: by recipe; basis: the runs timed from."""

    config: RunConfig
    capacity: Capacity
    stages: tuple[StagePlan, ...]
    trials: TrialsPlan
    rows: dict[str, Extent | None]
    feature_bytes: dict[str, int]
    basis: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def seconds(self) -> float | None:
        """Of all stages, None when one isn't known; the gate's are too few to count."""
        known = [stage.seconds for stage in self.stages]
        return None if None in known else sum(second for second in known if second is not None)


def plan(config: RunConfig, capacity: Capacity) -> Plan:
    """What `run` would do with a config on such nodes. Writes nothing.

    Raises `UsageError` as `check_config` and `check_choices` do, and `ConfigError`, naming the resource, for what the
    nodes can never hold.
    """
    config = with_named_version(with_absolute_paths(config))
    storage = Storage(config.storage)
    at_once = check(capacity, config)
    check_config(config)
    if config.tracking.uri is not None:
        with_secrets(config.tracking.uri)
    prepared = _prepared(config, storage)
    if prepared is not None:
        check_choices(config, prepared)
    rows = _rows(config, prepared)
    stages, trials = _stages(config, storage, at_once)
    records = list_runs(storage, config.name)
    before, known = timings(storage, records), trial_seconds(storage, records)
    work = Work.of(config.to_dict(), _sum(rows), trials.num_left)
    budget_s = Budget.of(config.search).left_s(0.0, (), at_once)
    stages = tuple(_timed(stage, before.get(stage.stage), work, known, budget_s) for stage in stages)
    sizes = _feature_bytes(config, prepared, _sum(rows))
    return Plan(
        config=config, capacity=capacity, stages=stages, trials=trials, rows=rows, feature_bytes=sizes,
        basis=tuple(sorted({before[s.stage].run for s in stages if s.stage in before and s.state != "cached"})),
        warnings=(*tightness(capacity, config), *memory_warnings(capacity, held_bytes(config, sizes, capacity))),
    )  # fmt: skip


def _prepared(config: RunConfig, storage: Storage) -> Prepared | None:
    return Prepared.read(storage, folder_of("prepare", prepare_key(config)))


def _rows(config: RunConfig, prepared: Prepared | None) -> dict[str, Extent | None]:
    """Rows of the splits where they are known, else of the tables that they will be made from."""
    if prepared is not None:
        return {split: Extent(num_rows=count, is_exact=True) for split, count in prepared.num_rows.items()}
    tables = {"source": config.data.source, "test table": config.data.test}
    return {name: extent_of(source) for name, source in tables.items() if source is not None}


def _sum(rows: dict[str, Extent | None]) -> int | None:
    known = [extent.num_rows for extent in rows.values() if extent is not None]
    return sum(known) if len(known) == len(rows) else None


def _feature_bytes(config: RunConfig, prepared: Prepared | None, num_rows: int | None) -> dict[str, int]:
    """Of the recipes that the families searched take: as prepared, else the most that they may come to."""
    recipes = sorted({FAMILIES[name].recipe for name in config.model.families})
    if prepared is not None:
        folders = {name: f"{prepared.prefix}/features/{name}" for name in recipes}
        return {
            name: sum(prepared.storage.usage(f"{folder}/{split}").num_bytes for split in ("train", "validation"))
            for name, folder in folders.items()
        }
    if num_rows is None:
        return {}
    schema = check_source(config).schema
    return {recipe: feature_bytes(config, schema, recipe, num_rows) for recipe in recipes}


def _stages(config: RunConfig, storage: Storage, at_once: int) -> tuple[tuple[StagePlan, ...], TrialsPlan]:
    keys = {"prepare": prepare_key(config)}
    keys["tune"] = search_key(config, keys["prepare"])
    keys["train"] = train_key(config, keys["prepare"], keys["tune"])
    prepare, tune, train = (
        _stage(storage, "prepare", keys["prepare"]),
        _stage(storage, "tune", keys["tune"]),
        _stage(storage, "train", keys["train"]),
    )
    trials = _trials(config, storage, tune, at_once)
    if prepare.state == "runs":
        prepare = replace(prepare, note=str(where_to_prepare(config)))
    if tune.state == "runs" and trials.num_begun:
        note = f"{trials.num_ended} of {trials.num_samples} trials have ended"
        tune = replace(tune, state="goes on", note=note)
    evaluate = _evaluate(config, storage, train)
    gate = StagePlan(stage="gate", state="runs", note="registers the package and judges it", seconds=0.0)
    return (prepare, tune, train, evaluate, gate), trials


def _stage(storage: Storage, stage: Stage, key: str) -> StagePlan:
    is_there = storage.exists(f"{folder_of(stage, key)}/{RESULT}")
    return StagePlan(stage=stage, state="cached" if is_there else "runs", key=key)


def _trials(config: RunConfig, storage: Storage, tune: StagePlan, at_once: int) -> TrialsPlan:
    logged = TrialLog(storage, folder_of("tune", tune.key or "")).read()
    ended = sum(trial.record is not None for trial in logged)
    num_samples = num_trials(config)
    if tune.state == "cached":
        ended = num_samples
    return TrialsPlan(num_samples=num_samples, num_ended=ended, num_begun=len(logged), at_once=at_once)


def _evaluate(config: RunConfig, storage: Storage, train: StagePlan) -> StagePlan:
    """Its key has the package's own hash in it, so it is known once there is a package."""
    key = train.key or ""
    trained = result_in(storage, folder_of("train", key))
    if trained is None:
        return StagePlan(stage="evaluate", state="depends", note="on the package that train makes")
    return _stage(storage, "evaluate", evaluated_key(config, key, trained["package_id"]))


def _timed(
    stage: StagePlan, then: Timing | None, work: Work, trials: Mapping[str, float], budget_s: float | None
) -> StagePlan:
    if stage.state == "cached":
        return replace(stage, seconds=0.0)
    if then is None:
        return stage
    seconds = scaled_s(stage.stage, then, work, trials, budget_s)
    if seconds is None and not stage.note:
        return replace(stage, note=f"no earlier trial tells of {', '.join(untold(work, trials))}")
    return replace(stage, seconds=seconds)
