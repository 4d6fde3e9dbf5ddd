"""One trial in the process that runs it: a fit that ends by itself, at a bar, or when the time is up."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from distml.training import EpochResult, FitResult
from distml.training.checkpoint import Checkpoint
from distml.tune.log import TrialFiles, reason_of
from distml.tune.objective import Candidate, Data, Objective, TrialState
from distml.tune.schedulers import is_given_up


@dataclass(frozen=True, kw_only=True)
class TrialTask:
    """A candidate, and what its process must know to end it and to keep what it came to.

    bars: see `Scheduler.bars`. seconds_left: until the time is up; None: there is no limit. score_to_keep: results that
    are no better aren't written, as others have pushed them out already; None: they are.
    """

    candidate: Candidate
    bars: dict[int, float] = field(default_factory=dict)
    seconds_left: float | None = None
    score_to_keep: float | None = None


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How a trial ended, as far as its own process knows."""

    state: TrialState
    reason: str | None = None
    objectives: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def run(
    task: TrialTask,
    objective: Objective,
    data: Data,
    files: TrialFiles | None,
    on_epoch: Callable[[EpochResult], None],
    is_wanted: Callable[[], bool] = lambda: True,
) -> Ending:
    """Runs a trial to its end, whatever that is: what a fit raises becomes a reason.

    files: where its state and what it comes to are written; None: nowhere. is_wanted: False when whoever waited for
    the trial no longer does.
    """
    number, began_at = task.candidate.number, time.monotonic()
    state: TrialState = "finished"

    def hear(result: EpochResult) -> bool:
        nonlocal state
        on_epoch(result)
        if is_given_up(objective.metric, task.bars, result):
            state = "pruned"
        elif task.seconds_left is not None and time.monotonic() - began_at >= task.seconds_left:
            state = "stopped"
        return state == "finished" and is_wanted()

    try:
        result = objective.run(task.candidate, data, hear, *_checkpoints(task.candidate, files))
        if state == "pruned" or not is_wanted():
            return Ending(state=state, notes=result.notes)
        if files is not None and _is_worth_keeping(task, objective, result):
            files.results.write(number, result)
        objectives = objective.measured(result, data, task.candidate.family)
        return Ending(state=state, objectives=objectives, notes=result.notes)
    except Exception as error:  # noqa: BLE001 - whatever ends a trial, the others go on and the record says why
        return Ending(state="failed", reason=reason_of(error) if files is None else files.failure(number, error))


def _checkpoints(candidate: Candidate, files: TrialFiles | None) -> tuple[Checkpoint | None, Checkpoint | None]:
    """Where the trial's state is written, and the state that it begins from."""
    if files is None:
        return None, None
    parent = candidate.parent
    return files.checkpoint(candidate.number), None if parent is None else files.checkpoint(parent)


def _is_worth_keeping(task: TrialTask, objective: Objective, result: FitResult) -> bool:
    if task.score_to_keep is None or result.best_score is None:
        return True
    return objective.metric.better(result.best_score, task.score_to_keep)
