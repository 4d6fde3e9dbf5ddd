"""The search in this process, one trial after another: for notebooks, small machines and tests."""

from __future__ import annotations

import time

from distml.training import EpochResult
from distml.tune.log import TrialFiles, reason_of
from distml.tune.objective import Candidate, Data, Objective, TrialRecord
from distml.tune.search import Search


class _GivenUp(Exception):
    """Raised inside a fit to end it."""


def run_trials(
    search: Search,
    objective: Objective,
    data: Data,
    files: TrialFiles | None = None,
    time_budget_s: float | None = None,
) -> list[TrialRecord]:
    """Runs a search's trials to their end; those that run out of time are `stopped`."""
    deadline = None if time_budget_s is None else time.monotonic() + time_budget_s - search.elapsed_s
    while not search.is_exhausted and (deadline is None or time.monotonic() < deadline):
        candidate = search.next()
        assert candidate is not None, "trials run one by one, so nothing is ever waited for"
        _run(search, candidate, objective, data, files, deadline)
    search.stop_rest()
    return search.records


def _run(
    search: Search,
    candidate: Candidate,
    objective: Objective,
    data: Data,
    files: TrialFiles | None,
    deadline: float | None,
) -> None:
    out_of_time = False

    def on_epoch(result: EpochResult) -> None:
        nonlocal out_of_time
        goes_on = search.add_epochs(candidate.number, [result])
        out_of_time = deadline is not None and time.monotonic() > deadline
        if out_of_time or not goes_on:
            raise _GivenUp

    checkpoint = files.checkpoint(candidate.number) if files is not None else None
    try:
        objective.run(candidate, data, on_epoch, checkpoint)
    except _GivenUp:
        search.end(candidate, is_given_up=not out_of_time, is_stopped=out_of_time)
    except Exception as error:  # noqa: BLE001 - whatever ends a trial, the others go on and the record says why
        failure = reason_of(error) if files is None else files.failure(candidate.number, error)
        search.end(candidate, failure=failure)
    else:
        search.end(candidate)
