"""One trial: a candidate's family and parameters, fitted on the shared data. It knows nothing of who runs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from distml.batch import FeatureBatch, InputSpec
from distml.config.base import Task
from distml.metrics import Metric
from distml.models import FAMILIES, ModelSpec
from distml.training import EpochResult, FitResult, FitSettings, fit
from distml.training.checkpoint import Checkpoint

TrialState = Literal["finished", "pruned", "failed", "stopped"]
Data = Mapping[str, tuple[FeatureBatch, FeatureBatch]]  # recipe -> (train, validation)


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """What one trial tries; numbers count from 1.

    A segment of population-based training goes on from the last state of trial `parent`, None for a first one, with
    changed params, and ends after `until_epoch`; other candidates have neither.
    """

    number: int
    family: str
    params: dict[str, Any]
    parent: int | None = None
    until_epoch: int | None = None


@dataclass(frozen=True, kw_only=True)
class TrialRecord:
    """What became of a trial. `score` is the best validation score; `stopped` means that the time was up.

    objectives: each objective's value by its name, where there are several. notes: what happened on the way, in lines.
    """

    number: int
    family: str
    params: dict[str, Any]
    state: TrialState
    score: float | None = None
    best_epoch: int = 0
    num_epochs: int = 0
    seconds: float = 0.0
    reason: str | None = None
    objectives: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    parent: int | None = None

    @classmethod
    def of(
        cls, candidate: Candidate, state: TrialState, last: EpochResult | None, reason: str | None = None
    ) -> TrialRecord:
        """The record of a candidate whose last known epoch is `last`."""
        known = cls(number=candidate.number, family=candidate.family, params=candidate.params, state=state)
        if last is not None:
            known = replace(
                known,
                score=last.best_score,
                best_epoch=last.best_epoch,
                num_epochs=last.epoch,
                seconds=last.seconds,
            )
        return replace(known, reason=reason)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Objective:
    """Fits candidates. `inputs`: recipe -> what a model must expect."""

    task: Task
    metric: Metric
    inputs: Mapping[str, InputSpec]
    settings: FitSettings = field(default_factory=FitSettings)

    def spec(self, family: str, params: Mapping[str, Any]) -> ModelSpec:
        chosen = FAMILIES[family]
        return ModelSpec(
            family=family, params=chosen.complete(params), input=self.inputs[chosen.recipe], task=self.task
        )

    def run(
        self,
        candidate: Candidate,
        data: Data,
        on_epoch: Callable[[EpochResult], None] = lambda result: None,
        checkpoint: Checkpoint | None = None,
    ) -> FitResult:
        """Fits a candidate, on from its checkpoint. Every trial has the seed of the search plus its own number."""
        train, validation = data[FAMILIES[candidate.family].recipe]
        seed = self.settings.seed * 100_003 + candidate.number
        settings = replace(self.settings, seed=seed, checkpoint=checkpoint)
        return fit(self.spec(candidate.family, candidate.params), train, validation, self.metric, settings, on_epoch)


def best_of(records: list[TrialRecord], metric: Metric) -> TrialRecord | None:
    """The finished or stopped record with the best score, the earlier one of equals; None without any."""
    best: TrialRecord | None = None
    for record in sorted(records, key=lambda record: record.number):
        if record.score is None or record.state in ("failed", "pruned"):
            continue
        if best is None or metric.better(record.score, best.score if best.score is not None else float("nan")):
            best = record
    return best
