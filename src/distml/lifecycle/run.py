"""`run`: one pass of the lifecycle, stage after stage, each a plain function over what the last one made."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from distml.clean import Finding
from distml.config import RunConfig, with_absolute_paths
from distml.data import Engine, LocalEngine
from distml.lifecycle.beginning import num_trials
from distml.lifecycle.evaluate import evaluate_package
from distml.lifecycle.gate import gate
from distml.lifecycle.journal import Journal
from distml.lifecycle.preflight import check_choices, preflight
from distml.lifecycle.prepare import prepare
from distml.lifecycle.prepared import Prepared
from distml.lifecycle.publish import datasets, publish
from distml.lifecycle.reporter import Reporter, SearchTerms, Silent
from distml.lifecycle.result import RunResult
from distml.lifecycle.retrain import check_columns
from distml.lifecycle.runs import RunRecord
from distml.lifecycle.search import Searched, search, search_key
from distml.lifecycle.stages import STAGES, Stage, folder_of
from distml.lifecycle.tracked import tracked
from distml.lifecycle.train import Trained, train
from distml.lifecycle.warm import with_named_version
from distml.lifecycle.where import engine_for
from distml.metrics import Metric, metric_for
from distml.registry import StoreRegistry, resolve
from distml.storage import Storage
from distml.tracking import Outbox, Tracker
from distml.tune.budget import Budget
from distml.tune.log import TrialLog
from distml.wording import numbered


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What a run is carried out with. `max_concurrent` None: trials run one by one in this process."""

    engine: Engine = field(default_factory=LocalEngine)
    max_concurrent: int | None = None
    scratch: Path | None = None  # a folder for files that end with the run; None: the system's
    tracker: Tracker | None = None
    reporter: Reporter = field(default_factory=Silent)


def cluster_resources(config: RunConfig, reporter: Reporter | None = None, scratch: Path | None = None) -> Resources:
    """Everything on the Ray cluster that this process is connected to.

    Raises `ConfigError` for a trial or a piece of the table that fits no node, and for fits on a GPU where there is
    none; `StorageError` for storage that a node doesn't reach.
    """
    from distml.cluster import nodes
    from distml.cluster.demand import check_device, check_preparation
    from distml.cluster.on_ray import max_concurrent_trials
    from distml.data.on_ray import RayEngine
    from distml.lifecycle.doctor.cluster import require_shared_storage

    capacity = nodes.cluster()
    check_preparation(capacity, config.data)
    check_device(capacity, config)
    require_shared_storage(config.storage)
    return Resources(
        engine=RayEngine(),
        max_concurrent=max_concurrent_trials(config.search),
        scratch=scratch,
        reporter=reporter or Silent(),
    )


def run(config: RunConfig, resources: Resources, *, until: Stage = "gate", retrains: str | None = None) -> RunResult:
    """Runs the stages up to `until`. How a run ended, an interrupt or an error too, stands in its record.

    retrains: the label of the champion that is trained again; where that is served, traffic moves to the new version
    before the champion does.
    """
    config = with_named_version(with_absolute_paths(config))
    storage = preflight(config)
    return _carry_out(config, storage, RunRecord.start(storage, config, until, retrains), resources, until)


def resume(storage: Storage, run: str, resources: Resources, *, force: bool = False) -> RunResult:
    """Goes on with a run that was cut off or failed: stages that it finished, and trials, are not repeated.

    Raises `UsageError` as `RunRecord.reopen` does.
    """
    record = RunRecord.reopen(storage, run, force=force)
    return _carry_out(record.config, storage, record, resources, record.value["until"])


def _carry_out(config: RunConfig, storage: Storage, record: RunRecord, resources: Resources, until: Stage) -> RunResult:
    resources.reporter.run(record.run, storage.root)
    with record:
        result = RunResult(run=record.run, config=config, storage=storage, seconds=record.value["seconds"])
        with _timed(record, resources.reporter, "prepare") as note:
            result.prepared = prepared = prepare(config, storage, engine_for(config, resources.engine))
            check_choices(config, prepared)
            if record.value.get("retrains"):
                check_columns(storage, resolve(StoreRegistry(storage), record.value["retrains"]), prepared)
            counts = ", ".join(f"{count:,} {split}" for split, count in prepared.num_rows.items())
            was = record.value["stages"].get("prepare", prepared.key)
            changed = "" if was == prepared.key else "; not what the run began with, so its stages are done anew"
            note(prepared.key, f"{counts} rows{_left_out(prepared.findings)}{changed}")
        resources.reporter.stage("track", "…")  # a database that is made takes seconds
        with tracked(config, storage, record, resources.reporter, resources.tracker) as outbox:
            result.tracking_run = record.value["tracking_run"]
            outbox.put(datasets(result))
            _stages(result, resources, outbox, record, until)
        record.write(state="finished", result=result.to_dict())
        return result


def _left_out(findings: Sequence[Finding]) -> str:
    """What preparation passed over, in a log's words: each rule that cost rows, with how many broke it.

    >>> _left_out([Finding(rule="an age is at most 120", column="age", count=3, action="quarantine")])
    '; left out: 3 (age: an age is at most 120)'
    """
    costly = [finding for finding in findings if finding.action in ("drop", "quarantine")]
    told = [f"{f.count:,} ({f.column}: {f.rule})" if f.column else f"{f.count:,} ({f.rule})" for f in costly[:3]]
    more = [f"{numbered(len(costly) - 3, 'more finding')} in the report"] if len(costly) > 3 else []
    return f"; left out: {', '.join(told + more)}" if costly else ""


def _stages(result: RunResult, resources: Resources, outbox: Outbox, record: RunRecord, until: Stage) -> None:
    """The stages after `prepare`, whose results go into the run's."""
    config, storage, reporter, prepared = result.config, result.storage, resources.reporter, result.prepared
    assert prepared is not None

    def wanted(stage: Stage) -> bool:
        return STAGES.index(stage) <= STAGES.index(until)

    if wanted("tune"):
        with _timed(record, reporter, "tune") as note:
            result.searched = searched = _tune(config, prepared, storage, resources, outbox, goes_on=record.goes_on)
            note(searched.key, _search_note(searched))
    if wanted("train"):
        with _timed(record, reporter, "train") as note:
            result.trained = trained = train(config, prepared, searched, storage, resources.engine)
            note(trained.key, _train_note(trained))
    if wanted("evaluate"):
        with _timed(record, reporter, "evaluate") as note:
            result.evaluated = evaluated = evaluate_package(config, prepared, trained, storage)
            metric = searched.metric.name
            note(trained.key, f"{metric} {evaluated.metrics[metric]:.6g} on the test rows")
    if wanted("gate"):
        with _timed(record, reporter, "gate") as note:
            verdict, version = gate(result, StoreRegistry(storage), record.value["retrains"])
            result.verdict, result.version = verdict, version
            outcome = "promoted" if verdict.promoted else "refused"
            note(trained.key, f"{version.label} {outcome}: {verdict.reasons[0]}")
    if result.evaluated is not None:
        publish(result, outbox.put, record)


@contextmanager
def _timed(record: RunRecord, reporter: Reporter, name: str) -> Iterator[Any]:
    reporter.stage(name, "…")
    started = time.monotonic()
    told: list[str] = []

    def note(key: str, text: str) -> None:
        told.extend((key, text))

    yield note
    key, text = told
    seconds = time.monotonic() - started
    record.stage(name, key, seconds)
    reporter.done(name, f"{text} ({seconds:.1f} s)")


def _tune(
    config: RunConfig, prepared: Prepared, storage: Storage, resources: Resources, outbox: Outbox, *, goes_on: bool
) -> Searched:
    """The stage, told of by a journal that is closed whatever comes of it."""
    metric = metric_for(config.search.metric, prepared.target.task)
    key = search_key(config, prepared.key)
    resources.reporter.search(_terms(config, metric, storage, key))
    journal = Journal(outbox, metric, resources.reporter, num_trials(config), search=key)
    best = None
    try:
        searched = search(
            config, prepared, storage, journal, max_concurrent=resources.max_concurrent, scratch=resources.scratch,
            goes_on=goes_on,
        )  # fmt: skip
        best = searched.best.number
        return searched
    finally:
        journal.close(best)


def _terms(config: RunConfig, metric: Metric, storage: Storage, key: str) -> SearchTerms:
    log, budget = TrialLog(storage, folder_of("tune", key)), Budget.of(config.search)
    log.read()
    return SearchTerms(metric=metric, num_samples=num_trials(config), budget=budget, elapsed_s=log.elapsed_s)


def _train_note(trained: Trained) -> str:
    """The package's members in a log's words, the heaviest first."""
    if len(trained.members) == 1:
        (only,) = trained.members
        return f"{only['family']}, {numbered(only['num_epochs'], 'epoch')}"
    return "a blend of " + ", ".join(f"{m['weight']:.2f} {m['family']} (trial {m['trial']})" for m in trained.members)


def _search_note(searched: Searched) -> str:
    """How the trials ended and which was best, in a log's words."""
    best = searched.best
    counts = ", ".join(f"{count} {state}" for state, count in searched.counts().items() if count)
    reused = "reused from an earlier run: " if searched.was_reused else ""
    return f"{reused}{counts}; best trial {best.number} {best.family}, {searched.metric.name} {best.score:.6g}"
