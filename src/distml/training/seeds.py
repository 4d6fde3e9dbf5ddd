"""What random numbers of a fit are seeded with: each thing that is drawn apart has a seed of its own.

They are numbers, as torch, NumPy and LightGBM each have generators of their own. Factors are primes above the numbers
that they make room for; a trial's own seed comes from whoever searches (`tune.objective.trial_seed`).
"""

from __future__ import annotations


def of_fold(seed: int, number: int) -> int:
    """Of the fold of a number: two folds begin with other weights, as two trials do.

    >>> of_fold(7, 0), of_fold(7, 1)
    (707, 708)
    """
    return seed * 101 + number


def of_epoch(seed: int, epoch: int) -> int:
    """Of an epoch, whether or not the fit was cut off before it: the order of its rows, and dropout.

    >>> of_epoch(7, 1) == of_epoch(7, 0) + 1
    True
    """
    return seed * 1_000_003 + epoch


def of_worker(seed: int, rank: int) -> int:
    """Of one of the workers that share a fit, so that no two drop the same units; that of the first is the fit's own.

    >>> of_worker(7, 0)
    7
    """
    return seed + 7_919 * rank
