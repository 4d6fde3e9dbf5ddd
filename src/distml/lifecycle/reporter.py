"""`Reporter`: whoever watches a run hears through it, in the driver and in plain words, how the run goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from distml.metrics import Metric
from distml.training import EpochResult
from distml.tune import Candidate, TrialRecord
from distml.tune.budget import Budget
from distml.tune.log import LoggedTrial


@dataclass(frozen=True, kw_only=True)
class SearchTerms:
    """What a search goes by and when it ends. elapsed_s: how long it had run in processes before this one."""

    metric: Metric
    num_samples: int
    budget: Budget = field(default_factory=Budget)
    elapsed_s: float = 0.0


class Reporter(Protocol):
    """Hears how a run goes. Its calls come from one thread and must not wait for anything."""

    def run(self, run: str, storage: str) -> None:
        """The run has an id, or goes on under the one that it has."""
        ...

    def stage(self, name: str, note: str) -> None:
        """A stage began (the note is "…"), or says something."""
        ...

    def done(self, name: str, note: str) -> None:
        """A stage ended: what came of it."""
        ...

    def search(self, terms: SearchTerms) -> None:
        """A search begins, or goes on."""
        ...

    def recall(self, trial: LoggedTrial) -> None:
        """A trial of the search that was cut off; one without a record will be heard of again."""
        ...

    def began(self, candidate: Candidate) -> None:
        """A trial was given out."""
        ...

    def epochs(self, number: int, epochs: Sequence[EpochResult]) -> None:
        """A running trial came that much further; never empty."""
        ...

    def trial(self, record: TrialRecord, best: float | None, num_done: int, num_samples: int) -> None:
        """A trial ended. best: the best score so far; num_done: trials that have ended."""
        ...

    def trials(self, num_running: int, num_done: int, num_samples: int) -> None:
        """Another number of trials runs."""
        ...


class Silent:
    """A `Reporter` that says nothing."""

    def run(self, run: str, storage: str) -> None:
        pass

    def stage(self, name: str, note: str) -> None:
        pass

    def done(self, name: str, note: str) -> None:
        pass

    def search(self, terms: SearchTerms) -> None:
        pass

    def recall(self, trial: LoggedTrial) -> None:
        pass

    def began(self, candidate: Candidate) -> None:
        pass

    def epochs(self, number: int, epochs: Sequence[EpochResult]) -> None:
        pass

    def trial(self, record: TrialRecord, best: float | None, num_done: int, num_samples: int) -> None:
        pass

    def trials(self, num_running: int, num_done: int, num_samples: int) -> None:
        pass
