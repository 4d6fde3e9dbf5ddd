"""`Course`: the epochs of one fit, of any learner: validation, the best so far, checkpoints, the end."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

import numpy as np

from distml.batch import FeatureBatch
from distml.errors import TrainingError
from distml.metrics import Metric
from distml.training.base import (
    EarlyStopping,
    EpochResult,
    FitResult,
    FitSettings,
    Notes,
    OnEpoch,
    training_rows,
    validation_score,
)
from distml.training.checkpoint import Checkpoint
from distml.training.divergence import Divergence
from distml.training.learner import Learner

_PAUSE = 20  # times what writing a state took


class Course:
    """Drives a learner from its first epoch, or from the state that a checkpoint holds, to its last."""

    def __init__(
        self, learner: Learner, validation: FeatureBatch | None, metric: Metric, settings: FitSettings, notes: Notes
    ) -> None:
        self.learner = learner
        self.validation = validation
        self.metric = metric
        self.settings = settings
        self.notes = notes
        self.stopping = EarlyStopping(metric, settings.config.patience)
        self.divergence = Divergence(learner.spec.params.get("lr"))
        self.outputs: np.ndarray | None = None
        self.begun_at = 0  # the epoch of another fit that this one begins from
        self.told: list[EpochResult] = []

    def run(self, on_epoch: OnEpoch) -> FitResult:
        """The epochs to the end of the course."""
        goes_on = self._take_up(on_epoch)
        saved_at, took_s = time.monotonic(), 0.0
        started = saved_at - (self.told[-1].seconds if self.told else 0.0)
        while goes_on and not self._is_over:
            result = self._epoch(self._last + 1, started)
            self.told.append(result)
            if time.monotonic() - saved_at >= self._pause_s(took_s):
                saving_at = time.monotonic()
                self._save()
                saved_at = time.monotonic()
                took_s = saved_at - saving_at
            goes_on = on_epoch(result) is not False
        if self.settings.keeps_last:
            self._save()
        return self._result(is_cut_short=not goes_on)

    def _pause_s(self, took_s: float) -> float:
        """From one state written to the next: longer where that takes long: a fit hardly waits for its store."""
        wanted = self.settings.config.checkpoint_interval_s
        return max(wanted, _PAUSE * took_s) if wanted else 0.0

    def _result(self, *, is_cut_short: bool) -> FitResult:
        return FitResult(
            model=self.learner.model(),
            best_epoch=self.stopping.best_epoch or self._last,
            best_score=None if self.validation is None else self.stopping.best_score,
            num_epochs=self._last,
            outputs=self.outputs,
            is_cut_short=is_cut_short,
            notes=tuple(self.notes.lines),
        )

    @property
    def _last(self) -> int:
        """The number of the last epoch that is over."""
        return self.told[-1].epoch if self.told else self.begun_at

    @property
    def _is_over(self) -> bool:
        if self._last >= self.settings.num_epochs:
            return True
        return self.validation is not None and self.told != [] and self.stopping.is_over(self._last)

    def _epoch(self, number: int, started: float) -> EpochResult:
        loss = self.learner.epoch(number)
        self.divergence.check(number, loss)
        score = None if self.validation is None else self._validate(self.validation, number)
        return EpochResult(
            epoch=number,
            train_loss=loss,
            score=score,
            best_score=None if score is None else self.stopping.best_score,
            best_epoch=self.stopping.best_epoch or number,
            seconds=time.monotonic() - started,
        )

    def _validate(self, validation: FeatureBatch, number: int) -> float:
        outputs = self.learner.predict(validation)
        score = validation_score(self.metric, training_rows(validation)[0], outputs, number)
        if self.stopping.update(number, score):
            self.learner.keep()
            self.outputs = outputs
        return score

    def _take_up(self, on_epoch: OnEpoch) -> bool:
        """Goes on where this fit, or the one that it begins from, had come to; whether it is to go on."""
        own = self.settings.checkpoint.load() if self.settings.checkpoint is not None else None
        if own is not None:
            self._load(own)
        elif self.settings.begin_from is not None:
            self._begin_from(self.settings.begin_from)
        # Whoever listens may have been killed before it noted these, and hears of every one.
        goes_on = [on_epoch(result) is not False for result in self.told]
        return all(goes_on)

    def _begin_from(self, place: Checkpoint) -> None:
        other = place.load()
        if other is None:
            raise TrainingError(
                "a fit that another one begins from has left its state", received=f"none at {place.key}"
            )
        self._load(other)
        # What is best is looked for anew: another's best epoch says nothing of these parameters.
        self.begun_at, self.told = self._last, []
        self.stopping.best_score, self.stopping.best_epoch, self.outputs = float("nan"), self.begun_at, None

    def _load(self, state: dict[str, Any]) -> None:
        self.learner.load_state(state["learner"])
        self.stopping.best_score, self.stopping.best_epoch = state["best_score"], state["best_epoch"]
        self.outputs = None if state["outputs"] is None else state["outputs"].numpy()
        self.divergence.losses = list(state["losses"])
        self.begun_at = state["begun_at"]
        self.told = [EpochResult(**result) for result in state["epochs"]]
        for line in state["notes"]:
            self.notes(line)

    def _save(self) -> None:
        """Writes the state, where there is a place for it."""
        if self.settings.checkpoint is None:
            return
        import torch

        self.settings.checkpoint.save(
            {
                "learner": self.learner.state(),
                "best_score": self.stopping.best_score,
                "best_epoch": self.stopping.best_epoch,
                "outputs": None if self.outputs is None else torch.from_numpy(self.outputs),
                "losses": self.divergence.losses,
                "notes": list(self.notes.lines),
                "begun_at": self.begun_at,
                "epochs": [asdict(result) for result in self.told],
            }
        )
