"""`StreamDeck`: training rows dealt in shuffled mini-batches as they are read, group by group.

An epoch has each row once. The order of the files, and that of the rows of a group, come from the seed and the epoch's
number alone. Where all rows are in one group, they are dealt exactly as `Deck` deals them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
import torch

from distml.batch import FeatureBatch
from distml.config.train import TrainConfig
from distml.models.base import ModelSpec
from distml.models.build import FAMILIES, learned
from distml.training import seeds
from distml.training.base import FitSettings, training_rows
from distml.training.deck import Deck, augmenter, auto_batch_size
from distml.training.rows import Rows, cuts
from distml.training.shards import Shards, by_hash
from distml.training.weights import balanced, weighed, weighed_by

TrainingRows = FeatureBatch | Shards


class Dealing(Protocol):
    """What a loop is dealt rows by."""

    batch_size: int
    step_size: int
    """Rows of a step: those of `train.accumulate` batches."""
    is_weighted: bool

    def __len__(self) -> int: ...

    @property
    def num_steps(self) -> int:
        """Steps of an epoch."""
        ...

    def steps(self, epoch: int) -> Iterator[Rows]:
        """The rows of each step of an epoch, each row once; the last step has what is left over."""
        ...

    def parts(self) -> Iterator[Rows]:
        """The rows as they are, in batches."""
        ...


def deal(train: TrainingRows, spec: ModelSpec, device: torch.device, settings: FitSettings) -> Dealing:
    """What deals a fit's rows: held on the device, or read as they are needed."""
    if isinstance(train, Shards):
        return StreamDeck(train, spec, device, settings)
    return Deck(weighed(train, settings.config), spec, device, settings)


def with_learned(spec: ModelSpec, train: TrainingRows) -> ModelSpec:
    """`models.build.learned` of rows, or of a sample of those that aren't held."""
    if isinstance(train, FeatureBatch):
        return learned(spec, train)
    return spec if FAMILIES[spec.family].learn is None or spec.learned else learned(spec, train.sample())


class StreamDeck:
    """Implements `Dealing`: of the rows it holds two groups at a time."""

    def __init__(self, shards: Shards, spec: ModelSpec, device: torch.device, settings: FitSettings) -> None:
        config = settings.config
        self.shards = shards
        self.seed = settings.seed
        self.device = device
        self.names = tuple(spec.input.tensors)
        self.batch_size = auto_batch_size(len(shards)) if config.batch_size == "auto" else config.batch_size
        self.step_size = self.batch_size * config.accumulate
        self.class_weights = _class_weights(shards, config)
        self.is_weighted = shards.read(0).weight is not None or self.class_weights is not None
        self.augment = augmenter(_means(shards), spec, settings) if settings.augment.is_on else None

    def __len__(self) -> int:
        return len(self.shards)

    @property
    def num_steps(self) -> int:
        return len(cuts(len(self), self.step_size))

    def steps(self, epoch: int) -> Iterator[Rows]:
        for number, rows in enumerate(self._shuffled(epoch)):
            yield rows if self.augment is None else self.augment(rows, epoch, number)

    def parts(self) -> Iterator[Rows]:
        for group in self.shards.groups(range(len(self.shards.keys))):
            yield from self._rows(group).parts(self.batch_size)

    def _shuffled(self, epoch: int) -> Iterator[Rows]:
        """The rows of each step; what a group leaves over goes with the next one's."""
        order = np.random.default_rng([self.seed, epoch]).permutation(len(self.shards.keys))
        generator = torch.Generator().manual_seed(seeds.of_epoch(self.seed, epoch))
        sizes = [cut.stop - cut.start for cut in cuts(len(self), self.step_size)]
        left: list[Rows] = []
        for group in self.shards.groups(order.tolist()):
            rows, start = self._rows(group), 0
            index = torch.from_numpy(by_hash(group))[torch.randperm(len(group), generator=generator)].to(self.device)
            while sizes and start + (wanted := sizes[0] - sum(map(len, left))) <= len(group):
                yield Rows.concat([*left, rows.take(index[start : start + wanted])])
                left, start = [], start + wanted
                del sizes[0]
            if start < len(group):
                left.append(rows.take(index[start:]))
        assert not sizes, f"{len(self)} rows, but the shards have fewer"

    def _rows(self, batch: FeatureBatch) -> Rows:
        if self.class_weights is not None:
            batch = weighed_by(batch, self.class_weights)
        return Rows.of(batch, self.names, self.device)


def _class_weights(shards: Shards, config: TrainConfig) -> np.ndarray | None:
    """Those of balanced classes, from one pass over the rows; None where none are asked for."""
    if config.class_weights == "none":
        return None
    totals: np.ndarray = np.zeros(0)
    for group in shards.groups(range(len(shards.keys))):
        target, weight = training_rows(group)
        found = np.bincount(target, weights=weight, minlength=len(totals))
        totals = found + np.pad(totals, (0, len(found) - len(totals)))
    return balanced(totals)


def _means(shards: Shards) -> torch.Tensor:
    """Of each number over all rows, float32 [f], from one pass."""
    total: np.ndarray | float = 0.0
    for group in shards.groups(range(len(shards.keys))):
        total = total + group.numeric.sum(axis=0, dtype=np.float64)
    return torch.from_numpy(np.asarray(total) / len(shards)).float()
