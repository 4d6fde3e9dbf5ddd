"""One trial: a candidate's family and parameters, fitted on the shared data. It knows nothing of who runs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from distml.batch import FeatureBatch, InputSpec
from distml.code import CodeRef
from distml.config.base import Task
from distml.config.search import Cost
from distml.metrics import Metric
from distml.models import FAMILIES, ModelSpec
from distml.models.own import code_for
from distml.training import EpochResult, FitResult, FitSettings, fit
from distml.training.base import OnEpoch
from distml.training.checkpoint import Checkpoint
from distml.training.folds import fit_folds
from distml.training.shards import Shards
from distml.training.warm import WarmStart

TrialState = Literal["finished", "pruned", "failed", "stopped"]
Data = Mapping[str, tuple[FeatureBatch | Shards, FeatureBatch | None]]
"""Recipe -> training and validation rows, or rows that name their folds and None."""


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
    until_epoch: int | None = None

    @classmethod
    def of(
        cls, candidate: Candidate, state: TrialState, last: EpochResult | None, reason: str | None = None
    ) -> TrialRecord:
        """The record of a candidate whose last known epoch is `last`."""
        known = cls(
            number=candidate.number,
            family=candidate.family,
            params=candidate.params,
            state=state,
            parent=candidate.parent,
            until_epoch=candidate.until_epoch,
            reason=reason,
        )
        if last is None:
            return known
        return replace(
            known,
            score=last.best_score,
            best_epoch=last.best_epoch,
            num_epochs=last.epoch,
            seconds=last.seconds,
        )

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> TrialRecord:
        return cls(**{**value, "notes": tuple(value.get("notes", ()))})

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def is_eligible(self) -> bool:
        """Whether the trial may be chosen by its score: it ended by itself or with the time."""
        return self.state in ("finished", "stopped")

    @property
    def candidate(self) -> Candidate:
        """What the trial tried."""
        return Candidate(
            number=self.number,
            family=self.family,
            params=self.params,
            parent=self.parent,
            until_epoch=self.until_epoch,
        )


@dataclass(frozen=True, kw_only=True)
class Objective:
    """Fits candidates.

    inputs: recipe -> what a model must expect; costs: what is measured of a model besides; code: what of the user's own
    models are made and fitted with, by key; warm: what families begin with, where it isn't chance; fit: who fits, this
    process or several workers.
    """

    task: Task
    metric: Metric
    inputs: Mapping[str, InputSpec]
    settings: FitSettings = field(default_factory=FitSettings)
    costs: tuple[Cost, ...] = ()
    code: Mapping[str, CodeRef] = field(default_factory=dict)
    warm: WarmStart | None = None
    fit: Callable[..., FitResult] = fit

    def spec(self, family: str, params: Mapping[str, Any]) -> ModelSpec:
        chosen = FAMILIES[family]
        return ModelSpec(
            family=family, params=chosen.complete(params), input=self.inputs[chosen.recipe], task=self.task,
            code=code_for(family, self.code),
        )  # fmt: skip

    def run(
        self,
        candidate: Candidate,
        data: Data,
        on_epoch: OnEpoch = lambda result: None,
        checkpoint: Checkpoint | None = None,
        begin_from: Checkpoint | None = None,
    ) -> FitResult:
        """Fits a candidate, on from its checkpoint, else from its parent's state. Without validation rows in `data`
        it is fitted over the folds of the rows. Every trial has the seed of the search plus its own number.
        """
        rows, validation = data[FAMILIES[candidate.family].recipe]
        spec = self.spec(candidate.family, candidate.params)
        settings = replace(self._settings(candidate), checkpoint=checkpoint, begin_from=begin_from)
        if validation is None:
            assert isinstance(rows, FeatureBatch), "rows that are dealt to folds are held"
            return fit_folds(spec, rows, self.metric, settings, on_epoch)
        return self.fit(spec, rows, validation, self.metric, settings, on_epoch)

    def refit(
        self,
        segments: Sequence[Candidate],
        train: FeatureBatch | Shards,
        validation: FeatureBatch | None,
        num_epochs: int | None,
        checkpoint: Checkpoint,
    ) -> FitResult:
        """Fits a candidate again, on other rows: for `num_epochs`, else to where it ends by itself.

        segments: one candidate, or the segments of a population's member in their order, each of which goes on from
        the state of the one before. checkpoint: to go on from; those of earlier segments lie beside it.
        """
        before: list[Checkpoint] = []
        for segment in segments:
            is_last = segment is segments[-1]
            own = checkpoint if is_last else replace(checkpoint, key=f"{checkpoint.key}-{segment.number}")
            settings = self._settings(segment)
            settings = replace(
                settings,
                checkpoint=own,
                begin_from=before[-1] if before else None,
                keeps_last=not is_last,
                until_epoch=num_epochs if is_last and num_epochs is not None else settings.until_epoch,
            )
            spec = self.spec(segment.family, segment.params)
            result = self.fit(spec, train, validation, self.metric, settings)
            before.append(own)
        for state in before[:-1]:
            state.delete()
        return result

    def measured(self, result: FitResult, data: Data, family: str) -> dict[str, float]:
        """What a fitted model costs, by name; nothing of a fit over folds, which has no one model."""
        _, validation = data[FAMILIES[family].recipe]
        if not self.costs or validation is None or result.model is None:
            return {}
        from distml.tune.costs import measure

        rows = validation if isinstance(validation, FeatureBatch) else validation.get()
        return measure(result.model, rows, self.costs)

    def _settings(self, candidate: Candidate) -> FitSettings:
        settings = replace(self.settings, seed=trial_seed(self.settings.seed, candidate.number))
        if self.warm is not None:
            settings = self.warm.over(settings, candidate.family)
        if candidate.until_epoch is None:
            return settings
        # A segment ends at its last epoch: whether it is worth going on is the population's to say.
        config = settings.config.model_copy(update={"patience": settings.config.max_epochs})
        return replace(settings, config=config, until_epoch=candidate.until_epoch, keeps_last=True)


def trial_seed(seed: int, number: int) -> int:
    """What is drawn for trial `number` of a search with this seed, by whoever draws it.

    >>> trial_seed(7, 3)
    700024
    """
    return seed * 100_003 + number


def best_of(records: Sequence[TrialRecord], metric: Metric) -> TrialRecord | None:
    """The finished or stopped record with the best score, the earlier one of equals; None without any."""
    best, best_score = None, float("nan")
    for record in sorted(records, key=lambda record: record.number):
        if record.score is not None and record.is_eligible and metric.better(record.score, best_score):
            best, best_score = record, record.score
    return best
