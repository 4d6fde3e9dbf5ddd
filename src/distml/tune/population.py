"""Population-based training (Jaderberg et al. 2017): members that train side by side, the worst going on as the best.

In each generation every member trains `interval_epochs` epochs, as a trial of its own: a segment, which goes on from
the last state of the trial `parent`. Between generations each member of the worst quarter takes up the weights, the
optimizer's state and the parameters of a member of the best quarter, and changes those parameters of it that a family
names `tunable`. A generation begins when the one before has ended, so that everything follows from the trials' scores.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from distml.errors import ConfigError
from distml.metrics import Metric
from distml.models import FAMILIES
from distml.tune.distribution import Choice, Constant, Distribution
from distml.tune.objective import Candidate, TrialRecord, trial_seed
from distml.tune.space import SearchSpace
from distml.tune.study import Point, Study

FACTORS = (0.8, 1.2)
RESAMPLED = 0.25  # how often a parameter is drawn anew instead


class Population:
    """Implements `CandidateSource`: segments instead of a study's candidates, `num_samples` of them in all.

    The first generation is drawn as a study with a random sampler draws it. Raises `ConfigError` for families that
    have no state between epochs, and for a space in which nothing can be changed.
    """

    def __init__(
        self,
        space: SearchSpace,
        metric: Metric,
        *,
        num_samples: int,
        population: int,
        interval_epochs: int,
        max_epochs: int,
        seed: int,
        points: Sequence[Point] = (),
    ) -> None:
        _check(space)
        self.space = space
        self.metric = metric
        self.size = min(population, num_samples)
        self.interval_epochs = interval_epochs
        self.max_epochs = max_epochs
        self.num_samples = min(num_samples, self.size * math.ceil(max_epochs / interval_epochs))
        self._seed = seed
        self._first = Study(
            space, metric, num_samples=self.size, sampler="random", seed=seed, lag=self.size, points=points
        )
        self._num_asked = 0
        self._told: dict[int, TrialRecord] = {}

    def ask(self) -> Candidate | None:
        """The next segment; None while one of the generation before is still running."""
        assert not self.is_exhausted, "every candidate has been given out"
        number = self._num_asked + 1
        generation = self._generation(number)
        if not self._has_ended(generation - 1):
            return None
        self._num_asked += 1
        until = min((generation + 1) * self.interval_epochs, self.max_epochs)
        if generation == 0:
            first = self._first.ask()
            assert first is not None, "none depends on another"
            return replace(first, until_epoch=until)
        return replace(self._descendant(number), until_epoch=until)

    def _descendant(self, number: int) -> Candidate:
        """Goes on as the member did, or as one of the best with parameters of its own."""
        own = self._told[number - self.size]
        best, worst = self._best_and_worst(self._generation(own.number))
        if own.number not in worst:
            return Candidate(number=number, family=own.family, params=own.params, parent=own.number)
        chance = random.Random(trial_seed(self._seed, number))
        parent = self._told[chance.choice(best)]
        params = explored(parent.family, parent.params, self.space.families[parent.family], chance)
        return Candidate(number=number, family=parent.family, params=params, parent=parent.number)

    def _best_and_worst(self, generation: int) -> tuple[list[int], set[int]]:
        """The best quarter of a generation, and the worst one with all that failed."""
        records = [self._told[number] for number in self._numbers(generation)]
        ranked = sorted(
            (-self.metric.sign * score, record.number)
            for record in records
            if (score := record.score) is not None and record.state == "finished"
        )
        ended = [number for _, number in ranked]
        quarter = max(1, self.size // 4)
        going_on = set(ended[: max(self.size - quarter, 1)])
        return ended[:quarter], {record.number for record in records} - going_on

    @property
    def is_exhausted(self) -> bool:
        """Whether every segment has been given out, or all members have failed."""
        if self._num_asked >= self.num_samples:
            return True
        before = self._generation(self._num_asked + 1) - 1
        return before >= 0 and self._has_ended(before) and not self._best_and_worst(before)[0]

    def replay(self, trials: Sequence[tuple[Candidate, TrialRecord | None]]) -> bool:
        """See `CandidateSource.replay`."""
        for _, record in trials:
            if record is not None:
                self.complete(record)
        return len(trials) <= self.num_samples and all(
            not self.is_exhausted and self.ask() == candidate for candidate, _ in trials
        )

    def complete(self, record: TrialRecord) -> None:
        self._told[record.number] = record

    def parents(self) -> set[int]:
        """The trials that have ended and whose last state a segment goes on from, or may still."""
        last = self._generation(self.num_samples)
        return {
            number
            for number in self._told
            if self._generation(number) < last and not self._has_ended(self._generation(number) + 1)
        }

    def _generation(self, number: int) -> int:
        """Counted from 0."""
        return (number - 1) // self.size

    def _numbers(self, generation: int) -> range:
        first = generation * self.size + 1
        return range(first, min(first + self.size, self.num_samples + 1))

    def _has_ended(self, generation: int) -> bool:
        return generation < 0 or all(number in self._told for number in self._numbers(generation))


def explored(
    family: str, params: Mapping[str, Any], space: Mapping[str, Distribution], chance: random.Random
) -> dict[str, Any]:
    """Params of which the tunable ones are multiplied by 0.8 or 1.2, or now and then drawn anew."""
    found = dict(params)
    for name in FAMILIES[family].tunable:
        if not isinstance(space.get(name, Constant(None)), Constant):
            found[name] = _changed(found[name], space[name], chance)
    return found


def _changed(value: Any, distribution: Distribution, chance: random.Random) -> Any:
    if chance.random() < RESAMPLED:
        return _drawn(distribution, chance)
    values = distribution.values()
    if values is not None:  # there is nothing between them: a neighbour
        known = values.index(value) if isinstance(distribution, Choice) else _nearest(values, value)
        beside = known + chance.choice((-1, 1))
        return values[min(max(beside, 0), len(values) - 1)]
    assert not isinstance(distribution, (Choice, Constant)), "these have values"
    return min(max(value * chance.choice(FACTORS), distribution.low), distribution.high)


def _nearest(values: Sequence[float], value: float) -> int:
    return min(range(len(values)), key=lambda i: abs(values[i] - value))


def _drawn(distribution: Distribution, chance: random.Random) -> Any:
    values = distribution.values()
    if values is not None:
        return chance.choice(values)
    assert not isinstance(distribution, (Choice, Constant)), "these have values"
    if distribution.log:
        return math.exp(chance.uniform(math.log(distribution.low), math.log(distribution.high)))
    return chance.uniform(distribution.low, distribution.high)


def _check(space: SearchSpace) -> None:
    trees = [name for name in space.families if FAMILIES[name].kind == "trees"]
    if trees:
        raise ConfigError(
            "population-based training goes on from the state between two epochs, which only networks have",
            received=", ".join(trees),
            where="model.families",
            remedy="leave it out, or use search.scheduler: asha",
        )
    for name, known in space.families.items():
        tunable = [key for key in FAMILIES[name].tunable if not isinstance(known.get(key, Constant(None)), Constant)]
        if not tunable:
            raise ConfigError(
                "population-based training changes a parameter in the middle of a fit",
                received=f"none of {', '.join(FAMILIES[name].tunable)} is searched",
                where=f"search.space.{name}",
                remedy=f"write a distribution for one of them, such as {FAMILIES[name].tunable[0]}",
            )
