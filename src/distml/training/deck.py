"""`Deck`: the training rows on the device, dealt in shuffled mini-batches.

Rows are indexed from contiguous tensors; a DataLoader would cost more than the step it feeds. The order of rows
comes from the seed and the epoch's number alone, so a fit that goes on from a checkpoint sees what it would have seen.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch

from distml.batch import FeatureBatch
from distml.models.base import ModelSpec
from distml.training import seeds
from distml.training.augment import Augmenter
from distml.training.base import FitSettings
from distml.training.rows import Rows, cuts


class Deck:
    """Deals `accumulate` batches' rows at a time, those of one step, varied if the settings say so."""

    def __init__(self, batch: FeatureBatch, spec: ModelSpec, device: torch.device, settings: FitSettings) -> None:
        config = settings.config
        self.rows = Rows.of(batch, tuple(spec.input.tensors), device)
        self.seed = settings.seed
        self.batch_size = auto_batch_size(len(batch)) if config.batch_size == "auto" else config.batch_size
        self.step_size = self.batch_size * config.accumulate
        self.is_weighted = bool((self.rows.weight != 1).any())
        self.augment = augmenter(_means(self.rows), spec, settings) if settings.augment.is_on else None

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def num_steps(self) -> int:
        """Steps of an epoch."""
        return len(cuts(len(self), self.step_size))

    def steps(self, epoch: int) -> Iterator[Rows]:
        """The rows of each step of an epoch; the last step has what is left over."""
        generator = torch.Generator().manual_seed(seeds.of_epoch(self.seed, epoch))
        order = torch.randperm(len(self), generator=generator).to(self.rows.device)
        for number, cut in enumerate(cuts(len(self), self.step_size)):
            rows = self.rows.take(order[cut])
            yield rows if self.augment is None else self.augment(rows, epoch, number)

    def parts(self) -> Iterator[Rows]:
        """The rows as they are, in batches."""
        return self.rows.parts(self.batch_size)


def _means(rows: Rows) -> torch.Tensor:
    """Of each number, float32 [f]."""
    return rows.numeric.mean(dim=0, dtype=torch.float64).float()


def augmenter(means: torch.Tensor, spec: ModelSpec, settings: FitSettings) -> Augmenter:
    """What varies a fit's mini-batches. means: of each number over the training rows, float32 [f]."""
    return Augmenter(
        config=settings.augment,
        seed=settings.seed,
        means=means,
        fills={name: tensor.mean for name, tensor in spec.input.tensors.items()},
        num_classes=0 if spec.task == "regression" else spec.input.num_outputs,
    )


def auto_batch_size(num_rows: int) -> int:
    """About 100 steps an epoch, a power of two from 32 to 1024.

    >>> auto_batch_size(569), auto_batch_size(27_000), auto_batch_size(10_000_000)
    (32, 256, 1024)
    """
    return int(np.clip(2 ** round(math.log2(max(num_rows, 1) / 100)), 32, 1024))
