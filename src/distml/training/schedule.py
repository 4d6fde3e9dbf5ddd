"""Learning rates over a fit, as pure functions of where it is: a fit that goes on needs no state of its schedule."""

from __future__ import annotations

import math
from collections.abc import Sequence

from distml.config.train import TrainConfig

PLATEAU_EPOCHS = 5
_RISE, _START, _END = 0.3, 1 / 25, 1 / 25e4  # of one_cycle, as torch's OneCycleLR has them
_LESS = 1e-4  # by which share a loss must fall to be better, as torch's ReduceLROnPlateau has it


def rate(config: TrainConfig, step: int, steps_per_epoch: int, losses: Sequence[float]) -> float:
    """What the learning rate is multiplied by at a step, counted from 0 over the whole fit, between 0 and 1.

    losses: the training losses of the epochs that are over. Plateaus are those of the training loss, which a refit
    without validation rows has too.
    """
    warmup = round(config.warmup_epochs * steps_per_epoch)
    if step < warmup:
        return (step + 1) / (warmup + 1)
    step, num_steps = step - warmup, config.max_epochs * steps_per_epoch - warmup
    if config.schedule == "cosine":
        return _eased(1.0, 0.0, step / num_steps)
    if config.schedule == "linear":
        return 1 - step / num_steps
    if config.schedule == "one_cycle":
        return one_cycle(step, num_steps)
    return 0.5 ** num_plateaus(losses) if config.schedule == "plateau" else 1.0


def one_cycle(step: int, num_steps: int) -> float:
    """Smith and Topin (2019), with cosines as in fastai and torch's OneCycleLR; momentum stays as it is.

    >>> [round(one_cycle(step, 101), 2) for step in (0, 29, 100)]
    [0.04, 1.0, 0.0]
    """
    top = _RISE * num_steps - 1
    if top > 0 and step <= top:
        return _eased(_START, 1.0, step / top)
    return _eased(1.0, _END, (step - top) / (num_steps - 1 - top))


def num_plateaus(losses: Sequence[float]) -> int:
    """How often a loss was no better for more than `PLATEAU_EPOCHS` epochs on end, each counted once.

    >>> num_plateaus([3, 2] + [2] * 5), num_plateaus([3, 2] + [2] * 6), num_plateaus([3, 2] + [2] * 12)
    (0, 1, 2)
    """
    best, since, found = math.inf, 0, 0
    for loss in losses:
        best, since = (loss, 0) if loss < best * (1 - _LESS) else (best, since + 1)
        if since > PLATEAU_EPOCHS:
            found, since = found + 1, 0
    return found


def _eased(start: float, end: float, share: float) -> float:
    """From start to end along half a cosine: Loshchilov and Hutter (2017)."""
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2
