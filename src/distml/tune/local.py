"""The search in this process, one trial after another: for notebooks, small machines and tests."""

from __future__ import annotations

import time

from distml.errors import DistmlError
from distml.training import EpochResult
from distml.tune.halving import Halving
from distml.tune.objective import Candidate, Data, Objective, SearchListener, TrialRecord
from distml.tune.study import Study


class _GivenUp(Exception):
    """Raised inside a fit to end it."""


def search(
    study: Study,
    objective: Objective,
    data: Data,
    halving: Halving | None,
    listener: SearchListener,
    time_budget_s: float | None = None,
) -> list[TrialRecord]:
    """Runs the study's candidates; trials that a rung gives up are `pruned`, those that run out of time `stopped`."""
    deadline = None if time_budget_s is None else time.monotonic() + time_budget_s
    records: list[TrialRecord] = []
    while not study.is_exhausted and (deadline is None or time.monotonic() < deadline):
        candidate = study.ask()
        assert candidate is not None, "trials run one by one, so nothing is ever waited for"
        listener.on_start(candidate)
        record = _run(candidate, objective, data, halving, listener, deadline)
        study.complete(record)
        listener.on_end(record)
        records.append(record)
    return records


def _run(
    candidate: Candidate,
    objective: Objective,
    data: Data,
    halving: Halving | None,
    listener: SearchListener,
    deadline: float | None,
) -> TrialRecord:
    last: EpochResult | None = None
    out_of_time = False

    def on_epoch(result: EpochResult) -> None:
        nonlocal last, out_of_time
        last = result
        listener.on_epochs(candidate.number, [result])
        out_of_time = deadline is not None and time.monotonic() > deadline
        assert result.best_score is not None
        goes_on = halving is None or halving.keep(candidate.number, result.epoch, result.best_score)
        if out_of_time or not goes_on:
            raise _GivenUp

    try:
        objective.run(candidate, data, on_epoch)
    except _GivenUp:
        return TrialRecord.of(candidate, "stopped" if out_of_time else "pruned", last)
    except DistmlError as error:
        return TrialRecord.of(candidate, "failed", last, reason=str(error))
    return TrialRecord.of(candidate, "finished", last)
