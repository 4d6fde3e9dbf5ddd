"""The Optuna study behind a search: asked for candidates, told what became of them.

Candidate k is drawn knowing exactly the trials up to k - lag, however many more have ended by then, so a seed gives
the same candidates on a fast machine and a slow one.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from distml.metrics import Metric
from distml.tune.objective import Candidate, TrialRecord
from distml.tune.space import Choice, Constant, Distribution, SearchSpace

FAMILY = "family"


class Study:
    """At most `num_samples` candidates of a space: points, then the families' defaults, then the sampler's."""

    def __init__(
        self,
        space: SearchSpace,
        metric: Metric,
        *,
        num_samples: int,
        sampler: str,
        seed: int,
        lag: int,
        points: Sequence[tuple[str, Mapping[str, Any]]] = (),
    ) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.space = space
        self.num_samples = num_samples
        self.lag = lag
        with warnings.catch_warnings():
            # Multivariate, grouped TPE with a constant liar is marked experimental; it is what fits this space.
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            self._study = optuna.create_study(
                direction=metric.direction, sampler=_sampler(optuna, sampler, seed), study_name="distml"
            )
        first = [(family, space.point(family, params, "search.points_to_evaluate")) for family, params in points]
        first += [(family, space.defaults(family)) for family in space.families]
        for family, params in first:
            known = {f"{family}.{name}": value for name, value in params.items()}
            self._study.enqueue_trial({FAMILY: family, **known})
        self._asked: dict[int, Any] = {}
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
        trial = self._study.ask()
        self._asked[number] = trial
        family, params = _draw(trial, self.space)
        return Candidate(number=number, family=family, params=params)

    def replay(self, trials: Sequence[tuple[Candidate, TrialRecord | None]]) -> bool:
        """Goes through the trials of a search that was cut off, by number from 1, each with its record if it ended.

        Returns False when this study draws other candidates: it is of no use for going on then.
        """
        for _, record in trials:
            if record is not None:
                self.complete(record)
        return all(self.ask() == candidate for candidate, _ in trials)

    @property
    def is_exhausted(self) -> bool:
        return len(self._asked) >= self.num_samples

    def complete(self, record: TrialRecord) -> None:
        """Notes what became of a candidate."""
        self._told[record.number] = record

    def _tell(self, record: TrialRecord) -> None:
        from optuna.trial import TrialState

        trial = self._asked[record.number]
        if record.score is None or record.state == "failed":
            self._study.tell(trial, state=TrialState.FAIL)
        elif record.state == "finished":
            self._study.tell(trial, record.score)
        else:
            # A pruned trial's last value is what TPE ranks it by.
            trial.report(record.score, record.num_epochs)
            self._study.tell(trial, state=TrialState.PRUNED)


def _sampler(optuna: Any, name: str, seed: int) -> Any:
    if name == "random":
        return optuna.samplers.RandomSampler(seed=seed)
    return optuna.samplers.TPESampler(seed=seed, multivariate=True, group=True, constant_liar=True, n_startup_trials=8)


def _draw(trial: Any, space: SearchSpace) -> tuple[str, dict[str, Any]]:
    family = trial.suggest_categorical(FAMILY, list(space.families))
    params = {
        name: _suggest(trial, f"{family}.{name}", distribution) for name, distribution in space.families[family].items()
    }
    return family, params


def _suggest(trial: Any, name: str, distribution: Distribution) -> Any:
    if isinstance(distribution, Constant):
        return distribution.value
    if isinstance(distribution, Choice):
        return trial.suggest_categorical(name, list(distribution.options))
    if distribution.integer:
        return trial.suggest_int(name, int(distribution.low), int(distribution.high), log=distribution.log)
    return trial.suggest_float(name, distribution.low, distribution.high, log=distribution.log)
