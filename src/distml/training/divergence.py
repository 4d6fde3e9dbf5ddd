"""When a fit is lost: its training loss is no number, or grows and stays beyond all measure."""

from __future__ import annotations

import math

from distml.errors import TrainingError

FACTOR = 10.0
NUM_EPOCHS = 3


class Divergence:
    """Watches a fit's training losses.

    A fit is lost after `NUM_EPOCHS` epochs in a row whose loss was `FACTOR` times the best and above the first one's:
    by then it knows less than when it began. A loss near zero may well grow tenfold, so the best alone says nothing.

    >>> watch = Divergence(lr=0.5)
    >>> for epoch, loss in enumerate([1.0, 0.1, 50.0, 60.0], start=1):
    ...     watch.check(epoch, loss)
    >>> watch.check(5, 70.0)
    Traceback (most recent call last):
        ...
    distml.errors.TrainingError: a training loss falls; received 70 in epoch 5, 3 epochs after it was 0.1 at best; in \
a fit at a learning rate of 0.5. Remedy: lower the learning rate.
    """

    def __init__(self, lr: float | None = None) -> None:
        self.lr = lr
        self.losses: list[float] = []

    def check(self, epoch: int, loss: float) -> None:
        """Notes an epoch's loss, NaN where a learner doesn't know it. Raises `TrainingError` when the fit is lost."""
        self.losses.append(loss)
        first, best = self.losses[0], min(self.losses)
        lately = self.losses[-NUM_EPOCHS:]
        if len(self.losses) > NUM_EPOCHS and all(loss > max(first, FACTOR * best) for loss in lately):
            received = f"{loss:g} in epoch {epoch}, {NUM_EPOCHS} epochs after it was {best:g} at best"
            raise TrainingError(
                "a training loss falls",
                received=received,
                where=at_rate(self.lr),
                remedy="lower the learning rate",
            )


def no_number(epoch: int, loss: float, lr: float | None) -> TrainingError:
    """The error of a training loss that is not finite."""
    return TrainingError(
        "a training loss is a number",
        received=f"{loss} in epoch {epoch}",
        where=at_rate(lr),
        remedy="lower the learning rate, or scale the features",
    )


def at_rate(lr: float | None) -> str | None:
    return None if lr is None or math.isnan(lr) else f"a fit at a learning rate of {lr:g}"
