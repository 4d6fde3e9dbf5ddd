"""`model.train_fn`: a whole loop of the user's own, called with a `Handle`.

It keeps its own course and only reports. What follows from an epoch (its score, what is best so far, when to end, what
whoever searches hears, what a checkpoint holds) is what `Course` makes of it, as for every other fit.
"""

from __future__ import annotations

import math
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
from distml.models.base import Model, ModelSpec
from distml.models.build import build_network
from distml.models.network import NetworkModel, scores
from distml.models.own import function_of, is_not_theirs, place_of
from distml.training.base import FitResult, FitSettings, Notes, OnEpoch
from distml.training.course import Course
from distml.training.deck import Deck
from distml.training.device import choose_device
from distml.training.divergence import no_number
from distml.training.initial import begin_with
from distml.training.rows import Rows

KEY = "train_fn"
# Outputs of the same weights in half precision differ by less in the mean, those of another epoch's by more.
_TOLERANCE = 5e-3
_PLAIN = (bool, int, float, str, bytes, type(None), torch.Tensor)


class Handle:
    """What a `train_fn` is called with: rows, settings, and whom it tells how it goes."""

    def __init__(self, course: OwnCourse, train: FeatureBatch, device: torch.device) -> None:
        names = tuple(course.spec.input.tensors)
        self.spec: ModelSpec = course.spec
        self.params: Mapping[str, Any] = dict(course.spec.params)
        self.input: InputSpec = course.spec.input
        self.task = course.spec.task
        self.device = device
        self.seed = course.settings.seed
        self.max_epochs = course.settings.num_epochs
        """How many epochs to go through at most; in a refit exactly, as there are no rows left to stop by."""
        self.train = Rows.of(train, names, device)
        """numeric, categorical, tensors, target and weight, each a tensor [n, ...] on the device."""
        self.validation = None if course.validation is None else Rows.of(course.validation, names, device)
        """As `train`; None in a refit."""
        self._course = course
        self._deck = Deck(train, course.spec, device, course.settings)

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


class OwnLearner:
    """Implements `Learner` by what was reported."""

    def __init__(self, spec: ModelSpec) -> None:
        self.spec = spec
        self.saved: dict[str, Any] | None = None
        self._loss = math.nan
        self._outputs: Any = None
        self._weights: dict[str, torch.Tensor] | None = None
        self._kept: dict[str, torch.Tensor] | None = None

    def hear(self, epoch: int, loss: float | None, outputs: Any, state: Any) -> None:
        """Takes an epoch's report, checked for what can be said of it alone."""
        if loss is not None and not math.isfinite(loss):
            raise no_number(epoch, float(loss), self.spec.params.get("lr"))
        self._loss, self._outputs = math.nan if loss is None else float(loss), outputs
        self._weights = None if state is None else _copied(state, self.spec)

    def epoch(self, number: int) -> float:
        return self._loss

    def predict(self, batch: FeatureBatch) -> np.ndarray:
        if self._outputs is not None:
            return scores(_checked(self._outputs, len(batch), self.spec), self.spec.task)
        if self._weights is None:
            raise TrainingError(
                "a train_fn reports what the validation rows come to", received="neither `outputs` nor `state`",
                where=_where(self.spec), remedy="handle.report(epoch, outputs=model(...)), or state=model.state_dict()",
            )  # fmt: skip
        return _model(self.spec, self._weights).predict(batch)

    def keep(self) -> None:
        self._kept = self._weights

    def end(self, returned: Any) -> None:
        """Takes what the function returned, where no report had the weights."""
        if self._kept is None:
            self._kept = self._weights if returned is None else _copied(returned, self.spec)

    @property
    def has_weights(self) -> bool:
        return self._kept is not None

    def model(self) -> Model:
        if self._kept is None:
            raise TrainingError(
                "a train_fn gives the weights of its network", received="None", where=_where(self.spec),
                remedy="return model.state_dict(), or give it to every report: handle.report(epoch, state=...)",
            )  # fmt: skip
        return _model(self.spec, self._kept)

    def state(self) -> dict[str, Any]:
        return {"saved": self.saved, "kept": self._kept}

    def load_state(self, state: dict[str, Any]) -> None:
        self.saved, self._kept = state["saved"], state["kept"]


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
                where=_where(self.spec), remedy="write `if not handle.report(...): break`, and return the weights",
            )  # fmt: skip
        if self.validation is not None and not self.told:
            raise TrainingError(
                "a train_fn reports its epochs", received="none", where=_where(self.spec),
                remedy="call handle.report(epoch, ...) after each",
            )  # fmt: skip
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
                where=_where(self.spec), remedy="go on from what handle.load() gives, and save after the report",
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
        torch.manual_seed(self.settings.seed * 1_000_003 + self._last + 1)

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
                where=_where(self.spec), remedy="give report the `state` of each epoch: the best one's is kept",
            )  # fmt: skip
        self.outputs = outputs


class _Ended(BaseException):
    """Goes through the user's function, past its `except Exception`, when it goes on after it was to end."""


def _failed(spec: ModelSpec, error: Exception) -> CodeError:
    return CodeError(
        "a train_fn of your own fits a network", received=code.told(error, spec.code[KEY].module), where=_where(spec),
        remedy="correct it there",
    )  # fmt: skip


def _checked(outputs: Any, num_rows: int, spec: ModelSpec) -> torch.Tensor:
    tensor = torch.as_tensor(outputs).detach().to(torch.float32)
    k = spec.input.num_outputs
    if tensor.ndim not in (2, 3) or (len(tensor), tensor.shape[-1]) != (num_rows, k):
        raise TrainingError(
            f"a train_fn reports outputs [{num_rows}, {k}] of the validation rows",
            received=str(list(tensor.shape)), where=_where(spec),
            remedy="give what the network answers, before any softmax, in the rows' order",
        )  # fmt: skip
    return tensor


def _copied(state: Any, spec: ModelSpec) -> dict[str, torch.Tensor]:
    """A state dict that further training doesn't change."""
    if not isinstance(state, Mapping) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise TrainingError(
            "a train_fn gives a state dict", received=f"a {type(state).__name__}", where=_where(spec),
            remedy="give model.state_dict()",
        )  # fmt: skip
    return {str(name): value.detach().cpu().clone() for name, value in state.items()}


def _model(spec: ModelSpec, weights: Mapping[str, torch.Tensor]) -> NetworkModel:
    module = build_network(spec)
    try:
        module.load_state_dict(weights)
    except RuntimeError as error:
        raise TrainingError(
            "a train_fn's weights fit the factory's network", received=" ".join(str(error).split())[:300],
            where=_where(spec), remedy="train what handle.build() gives",
        ) from error  # fmt: skip
    return NetworkModel(spec, module)


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
                "a train_fn saves tensors and plain values", received=f"a {type(value).__name__}", where=_where(spec),
                remedy="save state dicts and numbers",
            )  # fmt: skip


def _where(spec: ModelSpec) -> str:
    return f"{place_of(KEY)} {spec.code[KEY].dotted}"
