"""How a search begins, or goes on where its log has trials already."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

from distml.config import RunConfig
from distml.lifecycle.champion import FirstGuess, first_guess
from distml.metrics import METRICS, Metric
from distml.tune import Search, SearchListener, SearchSpace
from distml.tune.budget import Budget
from distml.tune.grid import Grid
from distml.tune.listeners import Several
from distml.tune.log import LoggedTrial, TrialLog
from distml.tune.population import Population
from distml.tune.schedulers import scheduler_for
from distml.tune.search import CandidateSource
from distml.tune.study import Point, Study, first_points
from distml.wording import numbered

STUDY_FILE = "study.log"  # beside the log of trials
MIN_LAG = 4  # so that one machine and another with fewer than four trials at once search alike


@contextmanager
def begun(
    config: RunConfig, metric: Metric, listener: SearchListener, max_concurrent: int | None, log: TrialLog
) -> Iterator[Search]:
    """The search, which goes on where its log has trials; what is told of it is written to its study's file too."""
    space = space_of(config)
    source, lag, trials = _source(config, space, metric, listener, max_concurrent, log)
    from distml.tune.study_file import StudyFile

    place = f"{log.files.folder}/{STUDY_FILE}"
    file = StudyFile(log.files.storage, place, config.name, space, metric, config.search.costs, listener)
    try:
        yield Search(
            source,
            scheduler_for(config.search.scheduler, metric, max_epochs=config.train.max_epochs, lag=lag),
            Several(listener, file),
            log,
            trials,
            budget=Budget.of(config.search),
            num_kept=config.search.num_kept,
        )
    finally:
        file.close()


def space_of(config: RunConfig) -> SearchSpace:
    """What a config searches over. Raises `ConfigError`."""
    return SearchSpace.of(config.model.families, config.search.space)


def _source(
    config: RunConfig,
    space: SearchSpace,
    metric: Metric,
    listener: SearchListener,
    max_concurrent: int | None,
    log: TrialLog,
) -> tuple[CandidateSource, int, list[LoggedTrial]]:
    """What candidates come from, replayed with the log's trials; its lag; and these. A log that is of no use goes."""
    trials = log.read()
    if trials and all(trial.record is not None and trial.record.score is None for trial in trials):
        trials = _forgotten("every trial had failed", log, listener)
    lag, guess = _settings(config, space, max_concurrent, log)
    source = source_of(config, space, metric, lag, guess)
    if not source.replay([(trial.candidate, trial.record) for trial in trials]):
        trials = _forgotten("this version of distml or Optuna draws other candidates", log, listener)
        lag, guess = _settings(config, space, max_concurrent, log)
        source = source_of(config, space, metric, lag, guess)
    if trials:
        num_ended = sum(trial.record is not None for trial in trials)
        listener.on_note(f"goes on: {num_ended} of {len(trials)} trials had ended")
    for note in [] if trials else notes(config, space, guess):
        listener.on_note(note)
    return source, lag, trials


def _settings(
    config: RunConfig, space: SearchSpace, max_concurrent: int | None, log: TrialLog
) -> tuple[int, FirstGuess | None]:
    """The lag and the champion's settings: those that the search was begun with, whoever is champion now."""
    guess = first_guess(config.name, space, log.files.storage)
    # A number that is written down makes every machine search alike, whatever it has room for.
    written = config.search.max_concurrent_trials
    at_once = (max_concurrent or 1) if written == "auto" else written
    begun = log.begin({"lag": max(MIN_LAG, at_once), "champion": guess and guess.to_dict()})
    known = begun.get("champion")
    return begun["lag"], FirstGuess(**known) if known else None


def _forgotten(why: str, log: TrialLog, listener: SearchListener) -> list[LoggedTrial]:
    log.clear()
    listener.on_note(f"begins again: {why}")
    return []


def source_of(
    config: RunConfig, space: SearchSpace, metric: Metric, lag: int = MIN_LAG, guess: FirstGuess | None = None
) -> CandidateSource:
    """Where a config's candidates come from: a study or, in population-based training, a population.

    Raises `ConfigError` for a point outside the space, and for a space that can't be searched so.
    """
    search = config.search
    points = _points(config, guess)
    if search.scheduler == "pbt":
        return Population(
            space, metric, num_samples=search.num_samples, population=search.population,
            interval_epochs=search.interval_epochs, max_epochs=config.train.max_epochs, seed=config.seed, points=points,
        )  # fmt: skip
    return Study(
        space, metric, num_samples=search.num_samples, sampler=search.sampler, seed=config.seed, lag=lag, points=points,
        costs=search.costs, shares=search.shares,
    )  # fmt: skip


def num_trials(config: RunConfig) -> int:
    """How many trials a search has: fewer than `search.num_samples` where a grid or a population ends before."""
    any_metric = METRICS["log_loss"]  # how many there are depends on none
    return source_of(config, space_of(config), any_metric).num_samples


def notes(config: RunConfig, space: SearchSpace, guess: FirstGuess | None) -> list[str]:
    """What whoever begins a search should know of how it begins, in lines."""
    told = [guess.note] if guess is not None else []
    wanted = config.search.num_samples
    if config.search.sampler == "grid":
        size = Grid(space).size
        if size > wanted:
            told.append(f"{wanted} of the grid's {size:,} combinations are tried: search.num_samples")
        elif size < wanted:
            told.append(f"the search ends after the grid's {size:,} combinations")
    key = "search.num_samples"
    if config.search.scheduler == "pbt":
        told += _of_population(config)
        wanted, key = min(wanted, config.search.population), "search.population"
    num_first = len(first_points(space, _points(config, guess)))
    if num_first > wanted:
        told.append(f"of {num_first} points that come first {wanted} are tried: {key}")
    return told


def _of_population(config: RunConfig) -> list[str]:
    """Whether its members learn of each other, and each comes to the end of its epochs: a trial is an interval of one
    member."""
    search, max_epochs = config.search, config.train.max_epochs
    if search.interval_epochs >= max_epochs:
        told = f"search.interval_epochs {search.interval_epochs} is not below train.max_epochs {max_epochs}"
        return [f"{told}: no member takes up another's settings"]
    size = min(search.population, search.num_samples)
    num_epochs = search.num_samples // size * search.interval_epochs
    if num_epochs >= max_epochs:
        return []
    return [
        f"{search.num_samples} trials train {numbered(size, 'member')} for {num_epochs} of train.max_epochs "
        f"{max_epochs}: {size * math.ceil(max_epochs / search.interval_epochs)} would train them all to the end"
    ]


def _points(config: RunConfig, guess: FirstGuess | None) -> list[Point]:
    points: list[Point] = [] if guess is None or guess.outside else [(guess.family, guess.params)]
    return points + [(point.family, point.params) for point in config.search.points_to_evaluate]
