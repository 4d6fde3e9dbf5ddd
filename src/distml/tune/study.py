"""The Optuna study behind a search: asked for candidates, told what became of them.

Candidate k is drawn knowing exactly the trials up to k - lag, however many more have ended by then, so a seed gives
the same candidates on a fast machine and a slow one. This study lives in memory and is what the sampler learns from;
the one that people open is written from the trial log (`tune/study_file.py`).
"""

from __future__ import annotations

import contextlib
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from distml.config.search import Cost, SamplerName
from distml.metrics import Metric
from distml.tune.grid import Grid
from distml.tune.objective import Candidate, TrialRecord
from distml.tune.samplers import check_sampler, sampler
from distml.tune.space import SearchSpace
from distml.tune.translation import FAMILY, draw, params_of

Point = tuple[str, Mapping[str, Any]]  # a family, and values for some of its parameters


class Study:
    """At most `num_samples` candidates of a space: points, then the families' defaults, then the sampler's.

    costs: the objectives beside the metric. shares: the least part of the candidates that are of a family.
    Raises `ConfigError` for a point outside the space, or a space that the sampler can't search.
    """

    def __init__(
        self,
        space: SearchSpace,
        metric: Metric,
        *,
        num_samples: int,
        sampler: SamplerName,
        seed: int,
        lag: int,
        points: Sequence[Point] = (),
        costs: Sequence[Cost] = (),
        shares: Mapping[str, float] | None = None,
    ) -> None:
        check_sampler(sampler, space, shares or {})
        self.space = space
        self.metric = metric
        self.lag = lag
        self._sampler, self._costs, self._shares = sampler, tuple(costs), shares or {}
        first = first_points(space, points)
        if sampler == "grid":
            first = [(family, params) for family, params in Grid(space).cells(first, at_most=num_samples, seed=seed)]
        self.num_samples = len(first) if sampler == "grid" else num_samples
        self._num_first = len(first)
        self._study = _study(metric, self._costs, sampler, seed, num_samples)
        for family, params in first:
            self._study.enqueue_trial(params_of(space, family, params))
        self._asked: dict[int, Any] = {}
        self._given: Counter[str] = Counter()
        self._told: dict[int, TrialRecord] = {}
        self._next_to_tell = 1

    def ask(self) -> Candidate | None:
        """The next candidate; None while a trial that it depends on is still running.

        Call `is_exhausted` first: there is no candidate after the last.
        """
        assert not self.is_exhausted, "every candidate has been given out"
        number = len(self._asked) + 1
        while self._next_to_tell <= number - self.lag:
            if self._next_to_tell not in self._told:
                return None
            self._tell(self._told[self._next_to_tell])
            self._next_to_tell += 1
        owed = self._owed(number)
        if owed is not None:
            self._study.enqueue_trial({FAMILY: owed})
        with _repeatable(self._sampler):
            trial = self._study.ask()
            family, params = draw(trial, self.space)
        self._asked[number] = trial
        self._given[family] += 1
        return Candidate(number=number, family=family, params=params)

    def _owed(self, number: int) -> str | None:
        """The family that candidate `number` must be of, so that each has had its share after it; None for any."""
        if number <= self._num_first or not self._shares:
            return None
        owed = {family: share * number - self._given[family] for family, share in self._shares.items()}
        most = max(owed, key=lambda family: owed[family])
        return most if owed[most] > 1 - 1e-9 else None

    def replay(self, trials: Sequence[tuple[Candidate, TrialRecord | None]]) -> bool:
        """See `CandidateSource.replay`."""
        for _, record in trials:
            if record is not None:
                self.complete(record)
        return len(trials) <= self.num_samples and all(self.ask() == candidate for candidate, _ in trials)

    @property
    def is_exhausted(self) -> bool:
        return len(self._asked) >= self.num_samples

    def complete(self, record: TrialRecord) -> None:
        """Notes what became of a candidate."""
        self._told[record.number] = record

    def parents(self) -> tuple[int, ...]:
        """No candidate goes on from another's state."""
        return ()

    def _tell(self, record: TrialRecord) -> None:
        from optuna.trial import TrialState

        trial, state = self._asked[record.number], told_as(record, self._costs)
        if state == "finished":
            assert record.score is not None
            self._study.tell(trial, [record.score, *(record.objectives[name] for name in self._costs)])
        elif state == "failed" or self._costs:
            # Optuna has no value for a trial that is pruned under several objectives, and TPE would ask for one.
            self._study.tell(trial, state=TrialState.FAIL)
        elif self._sampler == "gp":
            # GPSampler leaves pruned trials out, and so would know nothing of where trials are poor.
            self._study.tell(trial, record.score)
        else:
            # A pruned trial's last value is what TPE ranks it by.
            trial.report(record.score, record.num_epochs)
            self._study.tell(trial, state=TrialState.PRUNED)


def told_as(record: TrialRecord, costs: Sequence[Cost]) -> str:
    """What a record is to Optuna: finished, with a number for every objective; pruned; or failed."""
    if record.score is None or not math.isfinite(record.score) or record.state == "failed":
        return "failed"
    if record.state != "finished":
        return "pruned"
    return "finished" if all(math.isfinite(record.objectives.get(name, math.nan)) for name in costs) else "failed"


def first_points(space: SearchSpace, points: Sequence[Point]) -> list[Point]:
    """What is tried first, each once: the points, then every family's known-good values as far as they are searched."""
    given = [(family, space.point(family, params, "search.points_to_evaluate")) for family, params in points]
    given += [(family, space.point(family, space.defaults(family), family)) for family in space.families]
    return [point for i, point in enumerate(given) if point not in given[:i]]


def _study(metric: Metric, costs: Sequence[Cost], name: SamplerName, seed: int, num_samples: int) -> Any:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)  # what it would warn of is refused by `check_sampler`
    directions = [metric.direction, *("minimize" for _ in costs)]
    return optuna.create_study(directions=directions, sampler=sampler(name, seed, num_samples), study_name="distml")


@contextlib.contextmanager
def _repeatable(name: SamplerName) -> Iterator[None]:
    """One thread for a Gaussian process: sums by several round otherwise, and a replay would draw other candidates."""
    if name != "gp":
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
