"""`run`: one pass of the lifecycle, stage after stage, each a plain function over what the last one made."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from distml.clean import Finding
from distml.config import RunConfig, with_absolute_paths
from distml.data import Engine, LocalEngine
from distml.lifecycle.beginning import num_trials
from distml.lifecycle.evaluate import evaluate_package, judge_package
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
from distml.lifecycle.tracked import tracked
from distml.lifecycle.train import Trained, train
from distml.lifecycle.versions import move_to_challenger
from distml.lifecycle.warm import with_named_version
from distml.lifecycle.where import engine_for
from distml.metrics import Metric, metric_for
from distml.registry import Decision, Registry, StoreRegistry, resolve
from distml.storage import Storage
from distml.tracking import Outbox, Tracker
from distml.tune.budget import Budget
from distml.tune.log import TrialLog
from distml.wording import numbered

Stage = Literal["prepare", "tune", "train", "evaluate", "gate"]
STAGES: tuple[Stage, ...] = ("prepare", "tune", "train", "evaluate", "gate")


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
    from distml.cluster.capacity import check_device, check_preparation
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
            _stages(config, resources, outbox, storage, record, result, until)
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


def _stages(
    config: RunConfig, resources: Resources, outbox: Outbox, storage: Storage, record: RunRecord,
    result: RunResult, until: Stage,
) -> None:  # fmt: skip
    reporter = resources.reporter

    def wanted(stage: Stage) -> bool:
        return STAGES.index(stage) <= STAGES.index(until)

    prepared = result.prepared
    assert prepared is not None

    if wanted("tune"):
        with _timed(record, reporter, "tune") as note:
            result.searched = searched = _tune(config, resources, outbox, record, prepared, storage)
            note(searched.key, _search_note(searched, prepared))
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
            _gate(result, StoreRegistry(storage), record.value["retrains"])
            assert result.verdict is not None and result.version is not None
            outcome = "promoted" if result.verdict.promoted else "refused"
            note(trained.key, f"{result.version.label} {outcome}: {result.verdict.reasons[0]}")
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
    config: RunConfig,
    resources: Resources,
    outbox: Outbox,
    record: RunRecord,
    prepared: Prepared,
    storage: Storage,
) -> Searched:
    metric = metric_for(config.search.metric, prepared.target.task)
    key = search_key(config, prepared.key)
    resources.reporter.search(_terms(config, metric, storage, key))
    journal = Journal(outbox, metric, resources.reporter, num_trials(config), search=key)
    best = None
    try:
        searched = search(
            config, prepared, storage, journal, max_concurrent=resources.max_concurrent, scratch=resources.scratch,
            goes_on=record.goes_on,
        )  # fmt: skip
        best = searched.best.number
        return searched
    finally:
        journal.close(best)


def _terms(config: RunConfig, metric: Metric, storage: Storage, key: str) -> SearchTerms:
    log, budget = TrialLog(storage, f"searched/{key}"), Budget.of(config.search)
    log.read()
    return SearchTerms(metric=metric, num_samples=num_trials(config), budget=budget, elapsed_s=log.elapsed_s)


def _train_note(trained: Trained) -> str:
    """The package's members in a log's words, the heaviest first."""
    if len(trained.members) == 1:
        (only,) = trained.members
        return f"{only['family']}, {numbered(only['num_epochs'], 'epoch')}"
    return "a blend of " + ", ".join(f"{m['weight']:.2f} {m['family']} (trial {m['trial']})" for m in trained.members)


def _search_note(searched: Searched, prepared: Prepared) -> str:
    best = searched.best
    counts = ", ".join(f"{count} {state}" for state, count in searched.counts().items() if count)
    reused = "reused from an earlier run: " if searched.was_reused else ""
    return f"{reused}{counts}; best trial {best.number} {best.family}, {searched.metric.name} {best.score:.6g}"


def _gate(result: RunResult, registry: Registry, retrains: str | None) -> None:
    """Registers the package, judges it and promotes it if the verdict allows; everything goes into the audit log."""
    assert result.prepared and result.searched and result.trained and result.evaluated
    config = result.config
    verdict, champion = judge_package(
        config, result.prepared, result.searched, result.trained, result.evaluated, result.storage, registry
    )
    metrics = {"test": result.evaluated.metrics, "validation": result.trained.validation}
    version = registry.register(
        config.name, package=result.trained.package, package_id=result.trained.package_id, run=result.run,
        metrics=metrics,
    )  # fmt: skip
    by = f"run {result.run}" if retrains is None else f"retraining of {retrains}, run {result.run}"
    expected = champion.number if champion else None
    if not verdict.promoted:
        refusal = Decision(name=config.name, version=version.number, action="refuse", reasons=verdict.reasons, by=by)
        if refusal not in [replace(decision, at="") for decision in registry.audit(config.name)]:
            registry.record(refusal)  # a run that was cut off may have recorded it before
    elif expected == version.number:  # this run may have promoted it before it was cut off, or another has
        own = [entry for entry in registry.audit(config.name) if entry.action == "promote" and entry.by == by]
        verdict = replace(verdict, reasons=own[-1].reasons) if own else verdict
    elif retrains is None:
        registry.promote(config.name, version.number, expected=expected, reasons=verdict.reasons, by=by)
    else:
        move_to_challenger(result.storage, version, expected=expected, reasons=verdict.reasons, by=by)
    result.verdict, result.version = verdict, version
