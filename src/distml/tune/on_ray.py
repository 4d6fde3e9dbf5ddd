"""The search on a cluster, by Ray Tune: its actors run the trials, the `Search` decides about them.

A trial's bars and its time are known when it begins, so its process ends it by itself; Tune starts trials, starts them
again where a worker died, and ends those that hang. A fit never waits for a report to arrive.
"""

from __future__ import annotations

import logging
import os
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Any

from distml import code
from distml.config import SearchConfig
from distml.models import FAMILIES
from distml.models.own import code_for
from distml.training import EpochResult
from distml.training.fit import is_shareable
from distml.tune import trial
from distml.tune.log import TrialFiles
from distml.tune.objective import Data, Objective, TrialRecord
from distml.tune.search import Search
from distml.tune.trial import Ending, TrialTask

REPORT_INTERVAL_S = 1.0  # between a trial's reports; the last one comes at once
OVERTIME_S = 15.0  # for an epoch that is under way when the time is up; then its worker is ended
MAX_WORKER_DEATHS = 2  # after which a trial goes on from its checkpoint; one more and it has failed

# Read by Ray Tune when it is imported: no second console reporter, no result files beside the tracker's.
os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
os.environ.setdefault("TUNE_DISABLE_STRICT_METRIC_CHECKING", "1")
# Tune would take Ctrl-C for itself and end the search as if it were over.
os.environ.setdefault("TUNE_DISABLE_SIGINT_HANDLER", "1")
# Nothing is read back from Tune's own snapshots; a worker that hangs is killed soon, not after ten minutes.
os.environ.setdefault("TUNE_GLOBAL_CHECKPOINT_S", "3600")
os.environ.setdefault("TUNE_FORCE_TRIAL_CLEANUP_S", "10")

from ray import cloudpickle, tune  # noqa: E402
from ray.tune.search import Searcher  # noqa: E402


def run_trials(
    search: Search,
    objective: Objective,
    data: Data,
    files: TrialFiles,
    config: SearchConfig,
    *,
    folder: Path,
    max_concurrent: int,
) -> list[TrialRecord]:
    """Runs a search's trials as Ray Tune trials that share one copy of the data per node.

    files: what trials write for whoever goes on with the search; folder: a local folder for Tune's own files, which
    nothing is read back from. Records are as `local.run_trials` gives them, whatever fails.
    """
    if search.num_left and not search.is_out_of_time:
        budget_s = search.seconds_left(1)  # at most: device-hours last longest where trials run one by one
        trainable = tune.with_parameters(
            _Runner, objective=objective, data=_given(data, config), files=files, allowed=code.allowed()
        )
        coordinator = _Coordinator(search, max_concurrent)
        tuner = tune.Tuner(
            tune.with_resources(trainable, _reserved(config, objective)),
            tune_config=tune.TuneConfig(
                search_alg=_Searcher(coordinator),
                num_samples=search.num_left,
                max_concurrent_trials=max_concurrent,
                time_budget_s=None if budget_s is None else budget_s + OVERTIME_S,
                reuse_actors=True,
                trial_dirname_creator=_trial_id,
            ),
            run_config=tune.RunConfig(
                name="tune",
                storage_path=str(folder),
                callbacks=[_Callback(coordinator)],
                # A trial's own errors are reported, not raised: what is left to try again is a worker that died.
                failure_config=tune.FailureConfig(max_failures=MAX_WORKER_DEATHS),
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),  # trials write their own
                verbose=0,
            ),
        )
        # A failed trial is one line of the report; Tune would print every frame of it.
        logging.getLogger("ray.tune").setLevel(logging.CRITICAL)
        tuner.fit()
        if config.workers_per_trial > 1:
            from distml.training.on_ray import reap

            reap()
    search.stop_rest()
    return search.records


def _given(data: Data, config: SearchConfig) -> Any:
    """Rows for the trials; where several workers share a fit, each node's copy is theirs too."""
    if config.workers_per_trial == 1:
        return dict(data)
    from distml.training.on_ray import stored

    return {recipe: tuple(stored(rows) for rows in pair) for recipe, pair in data.items()}


def _reserved(config: SearchConfig, objective: Objective) -> Any:
    """What a trial's own process reserves: nothing that its workers would then wait for, though Tune wants something.
    What workers can't share is fitted by that process.
    """
    wanted = config.resources_per_trial
    alone = tune.PlacementGroupFactory([{"CPU": wanted.cpu, "GPU": wanted.gpu}])
    if config.workers_per_trial == 1:
        return alone
    waiting = tune.PlacementGroupFactory([{"CPU": 0, "memory": 1}])
    shared = {family for family in FAMILIES if is_shareable(family, code_for(family, objective.code))}
    return lambda trial: waiting if trial["task"].candidate.family in shared else alone


def _trial_id(of: Any) -> str:
    return str(of.trial_id)


class _Runner(tune.Trainable):
    """A Tune actor: fits one candidate after another in a thread beside, and tells what has become of it meanwhile."""

    def setup(
        self, config: dict[str, Any], objective: Objective, data: Data, files: TrialFiles, allowed: tuple[str, ...]
    ) -> None:
        code.allow(allowed)
        self._objective, self._data, self._files = objective, data, files
        self._begin(config["task"])

    def _begin(self, task: TrialTask) -> None:
        self._epochs: list[EpochResult] = []
        self._ending: Ending | None = None
        self._over = threading.Event()
        self._is_wanted = True
        self._thread = threading.Thread(target=self._fit, args=(task,), name="distml-trial", daemon=True)
        self._thread.start()

    def _fit(self, task: TrialTask) -> None:
        try:
            self._ending = trial.run(
                task, self._objective, self._data, self._files, self._epochs.append, lambda: self._is_wanted
            )
        except BaseException as error:  # what a trial isn't expected to raise must not leave the search waiting
            self._ending = Ending(state="failed", reason=self._files.failure(task.candidate.number, error))
            raise
        finally:
            self._over.set()

    def step(self) -> dict[str, Any]:
        """What is new after a while, or when the trial is over. It returns without any news too: between two steps
        Tune can end the actor.
        """
        is_over = self._over.wait(REPORT_INTERVAL_S)
        news = self._epochs[:]
        del self._epochs[: len(news)]
        ending = asdict(self._ending) if is_over and self._ending is not None else None
        return {"epochs": [asdict(epoch) for epoch in news], "ending": ending, "done": is_over}

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Takes up another trial; the one before is over."""
        self._thread.join()
        self._begin(new_config["task"])
        return True

    def cleanup(self) -> None:
        self._is_wanted = False  # ends with its epoch, where the process lives on


class _Coordinator:
    """What Tune's hooks share: the search, and which of its candidates each of Tune's trials is."""

    def __init__(self, search: Search, max_concurrent: int) -> None:
        self.search = search
        self.max_concurrent = max_concurrent
        self.numbers: dict[str, int] = {}  # of the trials that have not ended

    def __reduce__(self) -> tuple[Any, ...]:
        # Tune pickles its settings beside its results; nothing of the search is read back from there.
        return _detached, ()

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        if self.search.is_exhausted:
            return Searcher.FINISHED
        task = self.search.next(self.max_concurrent)
        if task is None:
            return None
        self.numbers[trial_id] = task.candidate.number
        return {"task": task}

    def on_result(self, trial_id: str, result: dict[str, Any]) -> None:
        self.search.add_epochs(self.numbers[trial_id], [EpochResult(**epoch) for epoch in result["epochs"]])
        if result["ending"] is not None:
            self.end(trial_id, Ending(**result["ending"]))

    def on_death(self, trial_id: str) -> None:
        self.search.note(f"the worker of trial {self.numbers[trial_id]} died; another takes it up")

    def end(self, trial_id: str, ending: Ending) -> None:
        if trial_id in self.numbers:
            self.search.end(self.numbers.pop(trial_id), ending)


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
            self._coordinator.end(trial_id, Ending(state="stopped"))  # it has not said that it is over

    def save(self, checkpoint_path: str) -> None:
        Path(checkpoint_path).touch()

    def restore(self, checkpoint_path: str) -> None:
        raise AssertionError("a search is not restored from Tune's own files")


class _Callback(tune.Callback):
    """Hears of results, of errors with their text, and of workers that died."""

    def __init__(self, coordinator: _Coordinator) -> None:
        self._coordinator = coordinator

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        self._coordinator.on_result(trial.trial_id, result)

    def on_trial_recover(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._coordinator.on_death(trial.trial_id)

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._coordinator.end(trial.trial_id, Ending(state="failed", reason=_reason(trial)))


def _reason(trial: Any) -> str:
    """What ended a trial's worker in one line, without Ray's frames."""
    if trial.pickled_error_file is None:
        return "Ray Tune ended the trial"
    error = cloudpickle.loads(Path(trial.pickled_error_file).read_bytes())
    cause = getattr(error, "cause", None) or error
    text = " ".join(str(cause).split())
    return f"its worker died {MAX_WORKER_DEATHS + 1} times, last: {type(cause).__name__}: {text[:300]}"
