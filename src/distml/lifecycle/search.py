"""The stage `tune`: the search over families and parameters, on the cluster or in this process."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from distml.config import RunConfig, SearchConfig
from distml.errors import TrainingError
from distml.lifecycle import warm
from distml.lifecycle.augmentation import not_augmented
from distml.lifecycle.beginning import STUDY_FILE, begun, space_of
from distml.lifecycle.own_code import not_reached, source_hashes
from distml.lifecycle.owner import owned, wait_for_owner
from distml.lifecycle.prepared import Prepared
from distml.lifecycle.stages import folder_of, once
from distml.lifecycle.streaming import Reading, reading_of
from distml.lifecycle.workers import by_workers, not_had
from distml.metrics import Metric, metric_for
from distml.models import FAMILIES
from distml.models.own import code_of
from distml.storage import Storage, content_hash
from distml.target import own_unit
from distml.training import FitSettings
from distml.training.suits import check_task
from distml.tune import Objective, Search, SearchListener, TrialRecord, local
from distml.tune.insight import how_to_open, insight
from distml.tune.log import TrialLog
from distml.tune.objective import Candidate, Data, TrialState, best_of
from distml.tune.results import room_for


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

    def segments(self, record: TrialRecord) -> tuple[Candidate, ...]:
        """What led to a trial, itself last: more than one candidate where it went on from another trial."""
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
        """Trials by how they ended."""
        states = [record.state for record in self.records]
        return {state: states.count(state) for state in get_args(TrialState)}


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
    folder = folder_of("tune", key)
    log = TrialLog(storage, folder)
    wait_for_owner(storage, folder, listener)

    def work() -> dict[str, Any]:
        with owned(storage, folder):
            return _search(config, prepared, metric, listener, max_concurrent, scratch, log)

    for line in (*not_augmented(config), *not_reached(config), *warm.not_begun(config)):
        listener.on_note(line)
    value, reused = once(storage, folder, work)
    if reused and goes_on:  # the process before may have died before it told of every trial
        for trial in log.read():
            listener.on_recall(trial)
    records = tuple(TrialRecord.from_dict(record) for record in value["records"])
    best = best_of(records, metric)
    assert best is not None, "a search without a best trial raises before it is stored"
    return Searched(
        key=key, metric=metric, records=records, best=best, was_reused=reused,
        importance=value["importance"], pareto=tuple(value["pareto"]),
        study=how_to_open(value["study"]["name"], storage.uri(value["study"]["file"])),
    )  # fmt: skip


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
    reading = reading_of(config, prepared, is_local=max_concurrent is None)
    for line in (*reading.lines, *not_had(config.search, is_local=max_concurrent is None)):
        listener.on_note(line)
    data = _data(config, reading)
    _check_room(config, prepared, data, log)
    with begun(config, metric, listener, max_concurrent, log) as search:
        if max_concurrent is None:
            records = local.run_trials(search, objective, data, log.files)
        else:
            records = _on_cluster(search, objective, data, log, config.search, max_concurrent, scratch)
    if best_of(records, metric) is None:
        raise _without_score(records)
    return {
        "records": [record.to_dict() for record in records],
        **insight(records, space_of(config), metric, config.search.costs),
        "study": {"name": config.name, "file": f"{log.files.folder}/{STUDY_FILE}"},
    }


def _on_cluster(
    search: Search, objective: Objective, data: Data, log: TrialLog, config: SearchConfig, max_concurrent: int,
    scratch: Path | None,
) -> list[TrialRecord]:  # fmt: skip
    from distml.tune import on_ray

    with tempfile.TemporaryDirectory(prefix="distml-tune-", dir=scratch) as folder:
        return on_ray.run_trials(
            search, by_workers(objective, config), data, log.files, config,
            folder=Path(folder), max_concurrent=max_concurrent,
        )  # fmt: skip


def _data(config: RunConfig, reading: Reading) -> Data:
    """By recipe what trials are fitted and scored on: training and validation rows, or all of them, dealt to folds."""
    prepared = reading.prepared
    recipes = sorted({FAMILIES[name].recipe for name in config.model.families})
    if prepared.plan.num_folds:
        return {name: (prepared.fit_rows(name), None) for name in recipes}
    return {name: (reading.rows(name, "train"), prepared.features(name, "validation")) for name in recipes}


def _check_room(config: RunConfig, prepared: Prepared, data: Data, log: TrialLog) -> None:
    """Raises `StorageError` where the disk hasn't room for what the trials leave."""
    num_rows = max(len(rows if validation is None else validation) for rows, validation in data.values())
    room = room_for(num_rows, prepared.target.num_outputs, config.search.num_kept)
    log.files.storage.check_room(room, log.files.folder)


def _without_score(records: Sequence[TrialRecord]) -> TrainingError:
    reasons = sorted({record.reason for record in records if record.reason})
    return TrainingError(
        "at least one trial comes to a score",
        received=f"{len(records)} trials, none did" + (f": {reasons[0]}" if reasons else ""),
        where="tune",
        remedy="give search.time_budget_s more time" if not reasons else None,
    )
