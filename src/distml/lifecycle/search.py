"""The stage `tune`: the search over families and parameters, on the cluster or in this process."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distml.batch import FeatureBatch
from distml.config import RunConfig
from distml.errors import NotFoundError, TrainingError
from distml.lifecycle import warm
from distml.lifecycle.augmentation import not_augmented
from distml.lifecycle.beginning import STUDY_FILE, begun, space_of
from distml.lifecycle.liveness import owner_is_alive, this_process
from distml.lifecycle.own_code import not_reached, source_hashes
from distml.lifecycle.prepared import Prepared
from distml.lifecycle.stages import once
from distml.lifecycle.streaming import Reading, reading_of
from distml.lifecycle.workers import by_workers
from distml.metrics import Metric, metric_for
from distml.models.own import code_of
from distml.storage import Storage, content_hash
from distml.target import own_unit
from distml.training import FitSettings
from distml.training.shards import Shards
from distml.training.suits import check_task
from distml.tune import Objective, SearchListener, TrialRecord
from distml.tune.insight import how_to_open, insight
from distml.tune.log import TrialLog
from distml.tune.objective import Candidate, Data, best_of
from distml.tune.results import room_for

_POLL_S = 0.5


@dataclass(frozen=True, kw_only=True)
class Searched:
    """What the search came to. Regression scores are in the target's own unit."""

    key: str
    metric: Metric
    records: tuple[TrialRecord, ...]
    best: TrialRecord
    was_reused: bool
    importance: dict[str, Any]
    """What the scores hung on: see `tune.importance`."""
    pareto: tuple[int, ...]
    """The trials that no other beats in every objective, the best score first; empty with one objective."""
    study: dict[str, str]
    """The Optuna study of the search: its name, its file as a path or URI, and what opens it."""

    def lineage(self, record: TrialRecord) -> tuple[Candidate, ...]:
        """The candidates that led to a trial, itself last: more than one where it went on from another."""
        by_number = {known.number: known for known in self.records}
        chain = [record]
        while chain[0].parent is not None:
            chain.insert(0, by_number[chain[0].parent])
        return tuple(
            Candidate(
                number=known.number,
                family=known.family,
                params=known.params,
                parent=known.parent,
                until_epoch=None if known is record else known.num_epochs,
            )
            for known in chain
        )

    def counts(self) -> dict[str, int]:
        states = [record.state for record in self.records]
        return {state: states.count(state) for state in ("finished", "pruned", "failed", "stopped")}


def search(
    config: RunConfig,
    prepared: Prepared,
    storage: Storage,
    listener: SearchListener,
    *,
    max_concurrent: int | None,
    scratch: Path | None = None,
    goes_on: bool = False,
) -> Searched:
    """Runs the stage, on from where it was cut off, or reads its result.

    max_concurrent: None for this process, one trial after another. scratch: a folder for Ray Tune's own files, which
    end with the search; None: the system's. goes_on: the listener, too, was cut off, and hears of every trial.

    Raises `TrainingError` when no trial came to a score.
    """
    metric = metric_for(config.search.metric, prepared.target.task)
    key = search_key(config, prepared.key)
    log = TrialLog(storage, f"searched/{key}")
    _wait_for_owner(storage, f"searched/{key}", listener)

    def work() -> dict[str, Any]:
        with _owned(storage, f"searched/{key}"):
            return _search(config, prepared, metric, listener, max_concurrent, scratch, log)

    for family in not_augmented(config):
        listener.on_note(f"{family}: fitted on the rows as they are, as augmentation is for networks")
    for line in (*not_reached(config), *warm.not_begun(config)):
        listener.on_note(line)
    value, reused = once(storage, f"searched/{key}", work)
    if reused and goes_on:  # the process before may have died before it told of every trial
        for trial in log.read():
            listener.on_recall(trial)
    records = tuple(TrialRecord.from_dict(record) for record in value["records"])
    best = best_of(list(records), metric)
    assert best is not None, "a search without a best trial raises before it is stored"
    return Searched(
        key=key, metric=metric, records=records, best=best, was_reused=reused,
        importance=value["importance"], pareto=tuple(value["pareto"]),
        study=how_to_open(value["study"]["name"], storage.uri(value["study"]["file"])),
    )  # fmt: skip


def _wait_for_owner(storage: Storage, folder: str, listener: SearchListener) -> None:
    """Waits while another process of this machine is at the same search: two would run every trial twice."""
    is_told = False
    while not storage.exists(f"{folder}/result.json"):
        owner = _owner(storage, folder)
        if owner is None or owner["pid"] == os.getpid() or not owner_is_alive(owner):
            return
        if not is_told:
            listener.on_note(f"waits for process {owner['pid']}, which is at the same search")
            is_told = True
        time.sleep(_POLL_S)


def _owner(storage: Storage, folder: str) -> dict[str, Any] | None:
    try:
        return storage.read_json(f"{folder}/owner.json")
    except NotFoundError:
        return None


@contextlib.contextmanager
def _owned(storage: Storage, folder: str) -> Iterator[None]:
    """The search as this process's own, for those that come meanwhile."""
    storage.write_json(f"{folder}/owner.json", this_process())
    try:
        yield
    finally:
        storage.delete(f"{folder}/owner.json")


def search_key(config: RunConfig, prepared_key: str) -> str:
    """The content hash of what the search depends on, which how often it saves its state is not."""
    values = config.to_dict()
    del values["train"]["checkpoint_interval_s"]
    sections = [values[name] for name in ("model", "search", "train", "augment")]
    return content_hash(prepared_key, config.seed, sections, source_hashes(config), warm.content(config))


def objective_for(config: RunConfig, prepared: Prepared, metric: Metric) -> Objective:
    """The objective of a config's trials, also of the winner's refit and the baselines."""
    check_task(config.train, prepared.target.task)
    source = warm.read(config)
    return Objective(
        task=prepared.target.task,
        metric=own_unit(metric, prepared.target),
        inputs={
            name: pipeline.input_spec(prepared.target.num_outputs) for name, pipeline in prepared.pipelines.items()
        },
        settings=FitSettings(
            config=config.train,
            seed=config.seed,
            augment=config.augment,
            num_threads=max(1, int(config.search.resources_per_trial.cpu)),
        ),
        costs=config.search.costs,
        code=code_of(config.model),
        warm=None if source is None else source.start,
    )


def _search(
    config: RunConfig,
    prepared: Prepared,
    metric: Metric,
    listener: SearchListener,
    max_concurrent: int | None,
    scratch: Path | None,
    log: TrialLog,
) -> dict[str, Any]:
    objective = objective_for(config, prepared, metric)
    recipes = {name for name in prepared.pipelines if name in _recipes(config)}
    reading = reading_of(config, prepared, is_local=max_concurrent is None)
    for line in reading.lines:
        listener.on_note(line)
    data: Data = {name: _rows(reading, name) for name in recipes}
    num_rows = max(len(rows if validation is None else validation) for rows, validation in data.values())
    room = room_for(num_rows, prepared.target.num_outputs, config.search.num_kept)
    log.files.storage.check_room(room, log.files.folder)
    with begun(config, metric, listener, max_concurrent, log) as search:
        if max_concurrent is None:
            from distml.tune import local

            if config.search.workers_per_trial > 1:
                listener.on_note("search.workers_per_trial: without a cluster each trial is fitted by one worker")
            records = local.run_trials(search, objective, data, log.files)
        else:
            from distml.tune import on_ray

            with tempfile.TemporaryDirectory(prefix="distml-tune-", dir=scratch) as folder:
                records = on_ray.run_trials(
                    search, by_workers(objective, config.search), data, log.files, config.search,
                    folder=Path(folder), max_concurrent=max_concurrent,
                )  # fmt: skip
    if best_of(records, metric) is None:
        reasons = sorted({record.reason for record in records if record.reason})
        raise TrainingError(
            "at least one trial comes to a score",
            received=f"{len(records)} trials, none did" + (f": {reasons[0]}" if reasons else ""),
            where="tune",
            remedy="give search.time_budget_s more time" if not reasons else None,
        )
    return {
        "records": [record.to_dict() for record in records],
        **insight(records, space_of(config), metric, config.search.costs),
        "study": {"name": config.name, "file": f"{log.files.folder}/{STUDY_FILE}"},
    }


def _rows(reading: Reading, recipe: str) -> tuple[FeatureBatch | Shards, FeatureBatch | None]:
    """What trials are fitted on and scored on: training and validation rows, or all of them, dealt to folds."""
    if reading.prepared.plan.num_folds:
        return reading.prepared.fit_rows(recipe), None
    return reading.rows(recipe, "train"), reading.prepared.features(recipe, "validation")


def _recipes(config: RunConfig) -> set[str]:
    from distml.models import FAMILIES

    return {FAMILIES[name].recipe for name in config.model.families}
