"""The search on a cluster, by Ray Tune: its actors run the trials, the `Search` decides about them."""

from __future__ import annotations

import logging
import os
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from distml.config import SearchConfig
from distml.training import EpochResult
from distml.tune.log import TrialFiles
from distml.tune.objective import Candidate, Data, Objective, TrialRecord
from distml.tune.search import Search

REPORT_INTERVAL_S = 0.5  # between reports that no decision hangs on
MAX_WORKER_DEATHS = 2  # after which a trial goes on from its checkpoint; one more and it has failed

# Read by Ray Tune when it is imported: no second console reporter, no result files beside the tracker's.
os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
os.environ.setdefault("TUNE_DISABLE_STRICT_METRIC_CHECKING", "1")
# Tune would take Ctrl-C for itself and end the search as if it were over.
os.environ.setdefault("TUNE_DISABLE_SIGINT_HANDLER", "1")

from ray import cloudpickle, tune  # noqa: E402
from ray.tune.schedulers import FIFOScheduler, TrialScheduler  # noqa: E402
from ray.tune.search import Searcher  # noqa: E402


def run_trials(
    search: Search,
    objective: Objective,
    data: Data,
    files: TrialFiles,
    rungs: tuple[int, ...],
    config: SearchConfig,
    *,
    folder: Path,
    max_concurrent: int,
) -> list[TrialRecord]:
    """Runs a search's trials as Ray Tune trials that share one copy of the data per node.

    files: what trials write for whoever goes on with the search; folder: a local folder for Tune's own files, which
    nothing is read back from. Records are as `local.run_trials` gives them, whatever fails.
    """
    budget_s = None if config.time_budget_s is None else config.time_budget_s - search.elapsed_s
    if search.num_left and (budget_s is None or budget_s > 0):
        trainable = tune.with_parameters(_trial, objective=objective, data=dict(data), files=files, rungs=rungs)
        resources = config.resources_per_trial
        coordinator = _Coordinator(search)
        tuner = tune.Tuner(
            tune.with_resources(trainable, {"cpu": resources.cpu, "gpu": resources.gpu}),
            tune_config=tune.TuneConfig(
                search_alg=_Searcher(coordinator),
                scheduler=_Scheduler(coordinator),
                num_samples=search.num_left,
                max_concurrent_trials=max_concurrent,
                time_budget_s=budget_s,
                reuse_actors=True,
            ),
            run_config=tune.RunConfig(
                name="tune",
                storage_path=str(folder),
                callbacks=[_Callback(coordinator)],
                # A trial's own errors are reported, not raised: what is left to try again is a worker that died.
                failure_config=tune.FailureConfig(max_failures=MAX_WORKER_DEATHS),
                verbose=0,
            ),
        )
        # A failed trial is one line of the report; Tune would print every frame of it.
        logging.getLogger("ray.tune").setLevel(logging.CRITICAL)
        tuner.fit()
    search.stop_rest()
    return search.records


def _trial(config: dict[str, Any], objective: Objective, data: Data, files: TrialFiles, rungs: tuple[int, ...]) -> None:
    """Runs in a Tune actor: fits a candidate and reports its epochs, always at rungs, else now and then."""
    candidate = Candidate(number=config["number"], family=config["family"], params=config["params"])
    pending: list[EpochResult] = []
    reported_at = time.monotonic()

    def report(is_over: bool, failure: str | None = None) -> None:
        nonlocal reported_at
        tune.report({"epochs": [asdict(result) for result in pending], "is_over": is_over, "failure": failure})
        pending.clear()
        reported_at = time.monotonic()

    def on_epoch(result: EpochResult) -> None:
        pending.append(result)
        if result.epoch in rungs or time.monotonic() - reported_at > REPORT_INTERVAL_S:
            report(is_over=False)

    try:
        objective.run(candidate, data, on_epoch, files.checkpoint(candidate.number))
    except Exception as error:  # noqa: BLE001 - raised from here it would end the actor, and the epochs not yet told
        report(is_over=True, failure=files.failure(candidate.number, error))
    else:
        report(is_over=True)


class _Coordinator:
    """What Tune's three hooks share: the search, and which of its candidates each of Tune's trials is."""

    def __init__(self, search: Search) -> None:
        self.search = search
        self.candidates: dict[str, Candidate] = {}
        self.given_up: set[str] = set()
        self.ended: set[str] = set()

    def __reduce__(self) -> tuple[Any, ...]:
        # Tune pickles its settings beside its results; nothing of the search is read back from there.
        return _detached, ()

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        if self.search.is_exhausted:
            return Searcher.FINISHED
        candidate = self.search.next()
        if candidate is None:
            return None
        self.candidates[trial_id] = candidate
        return {"number": candidate.number, "family": candidate.family, "params": candidate.params}

    def on_result(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Notes a report; whether the trial should go on."""
        epochs = [EpochResult(**epoch) for epoch in result.get("epochs", ())]
        goes_on = self.search.add_epochs(self.candidates[trial_id].number, epochs)
        if goes_on or result.get("is_over"):
            return True
        self.given_up.add(trial_id)
        return False

    def on_death(self, trial_id: str) -> None:
        number = self.candidates[trial_id].number
        self.search.note(f"the worker of trial {number} died; another takes it up")

    def on_end(self, trial_id: str, result: dict[str, Any] | None, failure: str | None) -> None:
        if trial_id in self.ended:
            return
        self.ended.add(trial_id)
        is_over = bool(result and result.get("is_over"))
        is_given_up = trial_id in self.given_up
        self.search.end(
            self.candidates[trial_id],
            is_given_up=is_given_up,
            is_stopped=not is_over and not is_given_up,
            failure=failure or (result or {}).get("failure"),
        )


def _detached() -> None:
    return None


class _Searcher(Searcher):
    """Hands out the study's candidates."""

    def __init__(self, coordinator: _Coordinator) -> None:
        super().__init__(metric="score", mode="max")
        self._coordinator = coordinator

    def set_search_properties(self, *args: Any, **kwargs: Any) -> bool:
        return True

    def suggest(self, trial_id: str) -> Any:
        return self._coordinator.suggest(trial_id)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        if not error:  # errors come through the callback, which knows what they say
            self._coordinator.on_end(trial_id, result, None)

    def save(self, checkpoint_path: str) -> None:
        Path(checkpoint_path).touch()

    def restore(self, checkpoint_path: str) -> None:
        raise AssertionError("a search is not restored from Tune's own files")


class _Scheduler(FIFOScheduler):
    """Ends the trials that a rung gives up."""

    def __init__(self, coordinator: _Coordinator) -> None:
        super().__init__()
        self._coordinator = coordinator

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        goes_on = self._coordinator.on_result(trial.trial_id, result)
        return TrialScheduler.CONTINUE if goes_on else TrialScheduler.STOP


class _Callback(tune.Callback):
    """Hears of errors with their text, and of workers that died."""

    def __init__(self, coordinator: _Coordinator) -> None:
        self._coordinator = coordinator

    def on_trial_recover(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._coordinator.on_death(trial.trial_id)

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._coordinator.on_end(trial.trial_id, trial.last_result, _reason(trial))


def _reason(trial: Any) -> str:
    """What ended a trial's worker in one line, without Ray's frames."""
    if trial.pickled_error_file is None:
        return "Ray Tune ended the trial"
    error = cloudpickle.loads(Path(trial.pickled_error_file).read_bytes())
    cause = getattr(error, "cause", None) or error
    text = " ".join(str(cause).split())
    return f"its worker died {MAX_WORKER_DEATHS + 1} times, last: {type(cause).__name__}: {text[:300]}"
