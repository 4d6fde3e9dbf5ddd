"""The search in this process, one trial after another: for notebooks, small machines and tests."""

from __future__ import annotations

from functools import partial

from distml.training import EpochResult
from distml.tune import trial
from distml.tune.log import TrialFiles
from distml.tune.objective import Data, Objective, TrialRecord
from distml.tune.search import Search


def run_trials(search: Search, objective: Objective, data: Data, files: TrialFiles | None = None) -> list[TrialRecord]:
    """Runs a search's trials to their end; those that run out of time are `stopped`."""
    while not search.is_exhausted:
        task = search.next()
        assert task is not None, "trials run one by one, so nothing is ever waited for"
        number = task.candidate.number
        search.end(number, trial.run(task, objective, data, files, partial(_tell, search, number)))
    search.stop_rest()
    return search.records


def _tell(search: Search, number: int, result: EpochResult) -> None:
    search.add_epochs(number, [result])
