"""`SharedLearner`: one worker's part in a fit that several processes share.

Every worker takes its share of the rows of every step, adds its part of the gradient to the others', and takes the
same step. A step's loss is a sum over its rows by weight, divided by the weight of all of them, so uneven shares add up
to what one worker would have: what is learnt differs by the order in which floating-point numbers are added, and by
dropout, which each worker draws for its own rows.

The gradients are summed here by one message a step, not by DistributedDataParallel, which takes the plain mean over
workers, renames the weights, and gains by sending early only where networks are far larger than these.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Any

import torch

from distml.batch import FeatureBatch
from distml.errors import TrainingError
from distml.models.base import ModelSpec
from distml.training import seeds
from distml.training.base import FitSettings, Notes
from distml.training.group import Group
from distml.training.loop import NetworkLearner
from distml.training.rows import Rows
from distml.training.shared_norm import SharedBatchNorm, share_batch_norms


class SharedLearner(NetworkLearner):
    """Implements `Learner` on the worker that leads; the others `follow` it. Validation and keeping are its alone."""

    def __init__(self, spec: ModelSpec, train: FeatureBatch, settings: FitSettings, notes: Notes, group: Group) -> None:
        super().__init__(spec, train, settings, notes)
        self.group = group
        self.seed = seeds.of_worker(self.seed, group.rank)  # of dropout: the deck has its own, the same for all
        share_batch_norms(self.module, group)
        self._is_normalising = any(isinstance(layer, SharedBatchNorm) for layer in self.module.modules())

    def epoch(self, number: int) -> float:
        if self.group.leads:
            self.group.tell("epoch", number)
        return super().epoch(number)

    def parts(self, rows: Rows) -> Iterable[Rows]:
        """This worker's share of each part that one worker would take: as many parts as the others have."""
        for part in super().parts(rows):
            yield self._own(part)

    def _own(self, rows: Rows) -> Rows:
        share = self.group.share(len(rows))
        return rows.map(lambda tensor: tensor[share])

    def gradients(self, rows: Rows) -> torch.Tensor:
        """Of all workers' rows: the parameters' gradients and the loss are the same on each. Summed only when this
        worker's own are there: where its memory runs out, or compiling fails, it tries again before.
        """
        loss = super().gradients(rows)
        self.group.sum([loss, *(weight.grad for weight in self.module.parameters() if weight.grad is not None)])
        return loss

    def _halve(self, error: torch.OutOfMemoryError) -> None:
        """Not where rows are normalised together: the others would wait for parts that are no longer theirs."""
        self._has_halved = self._has_halved or self._is_normalising
        super()._halve(error)

    def load_state(self, state: dict[str, Any]) -> None:
        if self.group.leads:
            self.group.tell("state", state)
        super().load_state(state)

    def end(self) -> None:
        """To be called by the worker that leads, when its fit is over: the others end."""
        self.group.tell("end", None)

    def follow(self) -> None:
        """Does what the worker that leads does, until that ends."""
        while True:
            what, value = self.group.hear()
            if what == "end":
                return
            if what == "state":
                self.load_state(value)
            else:
                with contextlib.suppress(TrainingError):  # the worker that leads has come to the same, and raises it
                    self.epoch(value)
