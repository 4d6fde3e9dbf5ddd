"""How a run's search stands, from storage alone: while it runs from its log, when it has ended from its result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from distml.config import RunConfig
from distml.errors import NotFoundError
from distml.lifecycle.beginning import STUDY_FILE, num_trials
from distml.lifecycle.compare import prepared_of, task_of
from distml.lifecycle.search import search_key
from distml.lifecycle.stages import folder_of, result_in
from distml.metrics import Metric, metric_for
from distml.storage import Storage
from distml.tune import TrialRecord
from distml.tune.budget import Budget
from distml.tune.insight import how_to_open
from distml.tune.log import LoggedTrial, TrialLog
from distml.tune.objective import best_of

_MORE = ("importance", "pareto")  # of a search that has ended, where its result tells them


def search_of(storage: Storage, record: Mapping[str, Any], *, is_running: bool) -> dict[str, Any] | None:
    """A run's search as JSON; None before its first trial, where its folder was deleted, and for a
    config of another version.

    trials: by number, those without an end in the state running, or `cut off` where nothing runs. best: the number of
    the best trial that ended, None without one. left_s: what its budget leaves to a search that runs, None without a
    budget. families: what each came to.
    """
    prepared, config = prepared_of(storage, record), _config_of(storage, record)
    task = task_of(record, prepared)
    if prepared is None or task is None or config is None:
        return None
    folder = folder_of("tune", record["stages"].get("tune") or search_key(config, record["stages"]["prepare"]))
    log = TrialLog(storage, folder)
    try:
        logged = log.read()
    except NotFoundError:  # it begins again while it is read
        return None
    result = result_in(storage, folder) or {}
    ended, unended = _trials(logged, result)
    if not ended and not unended:
        return None
    rows = [_open(trial, is_running) for trial in unended] + [record.to_dict() for record in ended]
    left_s = Budget.of(config.search).left_s(log.elapsed_s, [row["seconds"] for row in rows], len(unended))
    metric = metric_for(config.search.metric, task)
    best = best_of(ended, metric)
    return {
        "metric": metric.name,
        "direction": metric.direction,
        "num_samples": num_trials(config),
        "counts": dict(Counter(row["state"] for row in rows)),
        "best": None if best is None else best.number,
        "elapsed_s": log.elapsed_s,
        "left_s": left_s if is_running and not result else None,
        "trials": sorted(rows, key=lambda row: row["number"]),
        "families": _families(ended, metric),
        "study": how_to_open(result.get("study", {}).get("name", config.name), storage.uri(f"{folder}/{STUDY_FILE}")),
        **{key: result[key] for key in _MORE if result.get(key)},
    }


def _config_of(storage: Storage, record: Mapping[str, Any]) -> RunConfig | None:
    """A record's config; None for one of another version of distml, whose keys are not these."""
    try:
        return RunConfig.model_validate({**record["config"], "storage": storage.root})
    except ValidationError:
        return None


def _trials(logged: Sequence[LoggedTrial], result: Mapping[str, Any]) -> tuple[list[TrialRecord], list[LoggedTrial]]:
    """The trials that have ended, and those that have not; what a result tells has all ended."""
    if result:
        return [TrialRecord.from_dict(value) for value in result["records"]], []
    ended = [trial.record for trial in logged if trial.record is not None]
    return ended, [trial for trial in logged if trial.record is None]


def _open(trial: LoggedTrial, is_running: bool) -> dict[str, Any]:
    """A trial without an end, as its record would tell it now."""
    last = trial.epochs[-1] if trial.epochs else None
    value = TrialRecord.of(trial.candidate, "stopped", last).to_dict()
    return {**value, "state": "running" if is_running else "cut off"}


def _families(trials: Sequence[TrialRecord], metric: Metric) -> list[dict[str, Any]]:
    """What each family came to, the one with the best trial first."""
    found = []
    for family in dict.fromkeys(trial.family for trial in trials):
        own = [trial for trial in trials if trial.family == family]
        best = best_of(own, metric)
        found.append(
            {
                "family": family,
                "counts": dict(Counter(trial.state for trial in own)),
                "best": None if best is None else best.number,
                "score": None if best is None else best.score,
                "seconds": sum(trial.seconds for trial in own),
            }
        )
    worst = float("inf")
    return sorted(found, key=lambda one: worst if one["score"] is None else -metric.sign * one["score"])
