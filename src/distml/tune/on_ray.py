"""The search on a cluster, by Ray Tune: its actors run the trials, the study and the rungs decide about them."""

from __future__ import annotations

import logging
import os
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from distml.config import SearchConfig
from distml.errors import DistmlError
from distml.training import EpochResult
from distml.tune.halving import Halving
from distml.tune.objective import Candidate, Data, Objective, SearchListener, TrialRecord
from distml.tune.study import Study

REPORT_INTERVAL_S = 0.5  # between reports that no decision hangs on

# Read by Ray Tune when it is imported: no second console reporter, no result files beside the tracker's.
os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
os.environ.setdefault("TUNE_DISABLE_STRICT_METRIC_CHECKING", "1")
# Tune would take Ctrl-C for itself and end the search as if it were over.
os.environ.setdefault("TUNE_DISABLE_SIGINT_HANDLER", "1")

from ray import cloudpickle, tune  # noqa: E402
from ray.tune.schedulers import FIFOScheduler, TrialScheduler  # noqa: E402
from ray.tune.search import Searcher  # noqa: E402


def search(
    study: Study,
    objective: Objective,
    data: Data,
    halving: Halving | None,
    listener: SearchListener,
    config: SearchConfig,
    *,
    folder: Path,
    max_concurrent: int,
) -> list[TrialRecord]:
    """Runs the study's candidates as Ray Tune trials that share one copy of the data per node.

    folder: a local folder for Tune's own files. Records are as `local.search` gives them, whatever fails.
    """
    coordinator = _Coordinator(study, halving, listener)
    trainable = tune.with_parameters(
        _trial, objective=objective, data=dict(data), rungs=halving.rungs if halving else ()
    )
    resources = config.resources_per_trial
    tuner = tune.Tuner(
        tune.with_resources(trainable, {"cpu": resources.cpu, "gpu": resources.gpu}),
        tune_config=tune.TuneConfig(
            search_alg=_Searcher(coordinator),
            scheduler=_Scheduler(coordinator),
            num_samples=study.num_samples,
            max_concurrent_trials=max_concurrent,
            time_budget_s=config.time_budget_s,
            reuse_actors=True,
        ),
        run_config=tune.RunConfig(
            name="tune",
            storage_path=str(folder),
            callbacks=[_Callback(coordinator)],
            verbose=0,
            checkpoint_config=tune.CheckpointConfig(num_to_keep=1),
        ),
    )
    # A failed trial is one line of the report; Tune would print every frame of it.
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)
    tuner.fit()
    coordinator.stop_rest()
    return sorted(coordinator.records.values(), key=lambda record: record.number)


def _trial(config: dict[str, Any], objective: Objective, data: Data, rungs: tuple[int, ...]) -> None:
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
        objective.run(candidate, data, on_epoch)
    except DistmlError as error:
        # An error raised from here would end the actor, and the epochs not yet told would be lost with it.
        report(is_over=True, failure=str(error))
    else:
        report(is_over=True)


class _Coordinator:
    """What Tune's three hooks share: which trial is which candidate, and what became of it."""

    def __init__(self, study: Study, halving: Halving | None, listener: SearchListener) -> None:
        self.study = study
        self.halving = halving
        self.listener = listener
        self.candidates: dict[str, Candidate] = {}
        self.last: dict[str, EpochResult] = {}
        self.given_up: set[str] = set()
        self.records: dict[int, TrialRecord] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        # Tune pickles its settings beside its results; nothing of the search is read back from there.
        return _detached, ()

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        if self.study.is_exhausted:
            return Searcher.FINISHED
        candidate = self.study.ask()
        if candidate is None:
            return None
        self.candidates[trial_id] = candidate
        self.listener.on_start(candidate)
        return {"number": candidate.number, "family": candidate.family, "params": candidate.params}

    def on_result(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Notes a report; whether the trial should go on."""
        candidate = self.candidates[trial_id]
        epochs = [EpochResult(**epoch) for epoch in result.get("epochs", ())]
        if epochs:
            self.last[trial_id] = epochs[-1]
            self.listener.on_epochs(candidate.number, epochs)
        if result.get("is_over") or not epochs or self.halving is None:
            return True
        best = epochs[-1].best_score
        assert best is not None
        if self.halving.keep(candidate.number, epochs[-1].epoch, best):
            return True
        self.given_up.add(trial_id)
        return False

    def on_end(self, trial_id: str, result: dict[str, Any] | None, reason: str | None) -> None:
        candidate = self.candidates[trial_id]
        if candidate.number in self.records:
            return
        last = self.last.get(trial_id)
        reason = reason or (result or {}).get("failure")
        if reason is not None:
            record = TrialRecord.of(candidate, "failed", last, reason)
        elif trial_id in self.given_up:
            record = TrialRecord.of(candidate, "pruned", last)
        else:
            is_over = bool(result and result.get("is_over"))
            record = TrialRecord.of(candidate, "finished" if is_over else "stopped", last)
        self.records[candidate.number] = record
        self.study.complete(record)
        self.listener.on_end(record)

    def stop_rest(self) -> None:
        """Ends what was running when the time was up or the search was interrupted: Tune tells of no such end."""
        for trial_id in self.candidates:
            self.on_end(trial_id, None, None)


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
    """Hears of errors with their text."""

    def __init__(self, coordinator: _Coordinator) -> None:
        self._coordinator = coordinator

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._coordinator.on_end(trial.trial_id, trial.last_result, _reason(trial))


def _reason(trial: Any) -> str:
    """The error that ended a trial in one line, without Ray's frames."""
    if trial.pickled_error_file is None:
        return "Ray Tune ended the trial"
    error = cloudpickle.loads(Path(trial.pickled_error_file).read_bytes())
    cause = getattr(error, "cause", None) or error
    text = str(cause).strip().splitlines()
    return f"{type(cause).__name__}: {text[0] if text else ''}"
