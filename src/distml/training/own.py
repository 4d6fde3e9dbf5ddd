"""`model.train_fn`: a whole loop of the user's own, called with a `Handle`.

It keeps its own course and only reports. What follows from an epoch (its score, what is best so far, when to end, what
whoever searches hears, what a checkpoint holds) is what `Course` makes of it, as for every other fit.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from distml import code
from distml.batch import FeatureBatch, InputSpec
from distml.errors import CodeError, TrainingError
from distml.metrics import Metric
from distml.models.base import ModelSpec
from distml.models.build import build_network
from distml.models.own import function_of, is_not_theirs
from distml.training import seeds
from distml.training.base import FitResult, FitSettings, Notes, OnEpoch
from distml.training.course import Course
from distml.training.deck import Deck
from distml.training.device import choose_device
from distml.training.initial import begin_with
from distml.training.own_learner import KEY, OwnLearner, where_of
from distml.training.rows import Rows
from distml.training.weights import weighed

# Outputs of the same weights in half precision differ by less in the mean, those of another epoch's by more.
_TOLERANCE = 5e-3
_PLAIN = (bool, int, float, str, bytes, type(None), torch.Tensor)


class Handle:
    """What a `train_fn` is called with: rows, settings, and whom it tells how it goes."""

    def __init__(self, course: OwnCourse, train: FeatureBatch, device: torch.device) -> None:
        self.spec: ModelSpec = course.spec
        self.params: Mapping[str, Any] = dict(course.spec.params)
        self.input: InputSpec = course.spec.input
        self.task = course.spec.task
        self.device = device
        self.seed = course.settings.seed
        self.max_epochs = course.settings.num_epochs
        """How many epochs to go through at most; in a refit exactly, as there are no rows left to stop by."""
        self._course = course
        self._deck = Deck(weighed(train, course.settings.config), course.spec, device, course.settings)
        self.train = self._deck.rows
        """numeric, categorical, tensors, target and weight, each a tensor [n, ...] on the device."""
        names, validation = tuple(course.spec.input.tensors), course.validation
        self.validation = None if validation is None else Rows.of(validation, names, device)
        """As `train`; None in a refit."""

    def build(self) -> nn.Module:
        """The factory's network on the device, fresh, or with the weights that `model.warm_start` says."""
        module: nn.Module = build_network(self.spec)
        begin_with(module, self._course.settings, self._course.notes)
        return module.to(self.device)

    def batches(self, epoch: int) -> Iterator[Rows]:
        """The training rows of an epoch in shuffled batches of `train.batch_size`, augmented as the config says."""
        return self._deck.steps(epoch)

    @property
    def epoch(self) -> int:
        """The last epoch that was reported; 0 before the first."""
        return self._course.last

    @property
    def goes_on(self) -> bool:
        """Whether there is another epoch to go through."""
        return self._course.goes_on

    def report(self, epoch: int, *, train_loss: float | None = None, outputs: Any = None, state: Any = None) -> bool:
        """Tells of an epoch, counted from 1; False: end here.

        outputs: what the network gives for the validation rows, a tensor or array [m, k]. state: its state dict; the
        best epoch's is kept, and in a refit the last. With validation rows one of both is given; without states the
        function returns the state dict of the best epoch. Raises `TrainingError` for an epoch out of turn and for
        what is no number.
        """
        return self._course.hear(epoch, train_loss, outputs, state)

    def save(self, state: Mapping[str, Any]) -> None:
        """Keeps what going on after a crash needs: tensors, plain values, and mappings and lists of them.

        It belongs to the epoch reported last. Written at most every `train.checkpoint_interval_s`.
        """
        _check_plain(state, self.spec)
        self._course.note_state(state)

    def load(self) -> dict[str, Any] | None:
        """What was saved last where the fit goes on after a crash, and reports go on after `epoch`; else None."""
        return self._course.learner.saved


class OwnCourse(Course):
    """The course of a fit whose epochs a function of the user's own goes through."""

    learner: OwnLearner

    def __init__(
        self, spec: ModelSpec, train: FeatureBatch, validation: FeatureBatch | None, metric: Metric,
        settings: FitSettings, notes: Notes,
    ) -> None:  # fmt: skip
        super().__init__(OwnLearner(spec), validation, metric, settings, notes)
        self.spec = spec
        self._train = train
        self._is_heard = True  # whoever listens wants to hear more
        self._failure: BaseException | None = None

    def run(self, on_epoch: OnEpoch) -> FitResult:
        torch.set_num_threads(self.settings.num_threads)
        function = function_of(self.spec, KEY)
        self._on_epoch = on_epoch
        self._is_heard = self._take_up(on_epoch)
        self._saved_at = time.monotonic()
        self._started = self._saved_at - (self.told[-1].seconds if self.told else 0.0)
        self._seed()
        returned, was_deaf = self._call(function)
        self.learner.end(returned)
        if was_deaf and not self.learner.has_weights:
            raise TrainingError(
                "a train_fn ends when report answers False", received=f"another report after epoch {self._last}",
                where=where_of(self.spec), remedy="write `if not handle.report(...): break`, and return the weights",
            )  # fmt: skip
        if self.validation is not None and not self.told:
            raise TrainingError(
                "a train_fn reports its epochs", received="none", where=where_of(self.spec),
                remedy="call handle.report(epoch, ...) after each",
            )  # fmt: skip
        self._check_saved()
        self._check_weights()
        return self._result(is_cut_short=not self._is_heard)

    @property
    def last(self) -> int:
        return self._last

    @property
    def goes_on(self) -> bool:
        return self._is_heard and not self._is_over

    def hear(self, epoch: int, loss: float | None, outputs: Any, state: Any) -> bool:
        """See `Handle.report`."""
        if self._failure is not None:
            raise self._failure  # the function went on after it
        if not self.goes_on:
            raise _Ended
        try:
            self._hear(epoch, loss, outputs, state)
        except BaseException as error:
            self._failure = error
            raise
        return self.goes_on

    def _hear(self, epoch: int, loss: float | None, outputs: Any, state: Any) -> None:
        if epoch != self._last + 1:
            raise TrainingError(
                "epochs are reported one after another", received=f"{epoch} after {self._last}",
                where=where_of(self.spec), remedy="go on from what handle.load() gives, and save after the report",
            )  # fmt: skip
        self.learner.hear(epoch, loss, outputs, state)
        result = self._epoch(epoch, self._started)
        self.told.append(result)
        self._is_heard = self._on_epoch(result) is not False
        self._seed()

    def note_state(self, state: Mapping[str, Any]) -> None:
        """See `Handle.save`. What another fit may begin from is written at once: tensors may change meanwhile."""
        self.learner.saved = dict(state)
        if self.settings.keeps_last or self._is_due():
            self._save()
            self._saved_at = time.monotonic()

    def _is_due(self) -> bool:
        return time.monotonic() - self._saved_at >= self.settings.config.checkpoint_interval_s

    def _seed(self) -> None:
        """So that an epoch's random numbers follow from its number, whether or not the fit was cut off before it."""
        torch.manual_seed(seeds.of_epoch(self.settings.seed, self._last + 1))

    def _call(self, function: Any) -> tuple[Any, bool]:
        """What the function returns, and whether it had to be ended as it went on after a False."""
        handle = Handle(self, self._train, choose_device(self.settings.config.device))
        returned, was_deaf = None, False
        try:
            returned = function(handle)
        except _Ended:
            was_deaf = True
        except Exception as error:
            if not is_not_theirs(error) and error is not self._failure:
                raise _failed(self.spec, error) from error
            raise
        if self._failure is not None:
            raise self._failure
        return returned, was_deaf

    def _check_saved(self) -> None:
        """Raises `TrainingError` where another fit is to go on from this one, and nothing was saved."""
        if self.settings.keeps_last and self.learner.saved is None:
            raise TrainingError(
                "a train_fn that others go on from, as with scheduler: pbt, saves its state", received="none",
                where=where_of(self.spec),
                remedy="call handle.save(...) after each report and begin with handle.load(), or use scheduler: asha",
            )  # fmt: skip

    def _check_weights(self) -> None:
        """Raises `TrainingError` where the weights that came of the fit aren't those of its best epoch."""
        model = self.learner.model()
        if self.validation is None or self.outputs is None:
            return
        outputs = model.predict(self.validation)
        difference = float(np.abs(outputs - self.outputs).mean())
        if not difference <= _TOLERANCE:
            raise TrainingError(
                "a train_fn gives the weights of its best epoch",
                received=f"weights whose outputs differ by {difference:.3g} from those that epoch"
                f" {self.stopping.best_epoch} reported",
                where=where_of(self.spec), remedy="give report the `state` of each epoch: the best one's is kept",
            )  # fmt: skip
        self.outputs = outputs


class _Ended(BaseException):
    """Goes through the user's function, past its `except Exception`, when it goes on after it was to end."""


def _failed(spec: ModelSpec, error: Exception) -> CodeError:
    return CodeError(
        "a train_fn of your own fits a network", received=code.told(error, spec.code[KEY].module), where=where_of(spec),
        remedy="correct it there",
    )  # fmt: skip


def _check_plain(state: Any, spec: ModelSpec) -> None:
    """Raises `TrainingError` for what a checkpoint can't hold without code that would execute."""
    waiting = [state]
    while waiting:
        value = waiting.pop()
        if isinstance(value, Mapping):
            waiting += [*value, *value.values()]
        elif isinstance(value, (list, tuple)):
            waiting += value
        elif not isinstance(value, _PLAIN):
            raise TrainingError(
                "a train_fn saves tensors and plain values", received=f"a {type(value).__name__}", where=where_of(spec),
                remedy="save state dicts and numbers",
            )  # fmt: skip
