"""What rows weigh in a fit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from distml.batch import FeatureBatch
from distml.config.train import TrainConfig
from distml.training.base import training_rows


def weighed(train: FeatureBatch, config: TrainConfig) -> FeatureBatch:
    """Training rows with the weights that they have in a fit: their own, times their class's where those are
    balanced."""
    if config.class_weights == "none":
        return train
    return weighed_by(train, class_weights(*training_rows(train)))


def weighed_by(train: FeatureBatch, by_class: np.ndarray) -> FeatureBatch:
    """Rows whose weights are multiplied by their class's."""
    target, weight = training_rows(train)
    return replace(train, weight=(weight * by_class[target]).astype(np.float32))


def class_weights(target: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """By class: what makes all classes that there are weigh the same, and all rows as much as before, float64 [k].

    King and Zeng (2001), as in scikit-learn's class_weight="balanced", with rows counted by their weight.

    >>> class_weights(np.array([0, 0, 0, 1]), np.ones(4)).tolist()
    [0.6666666666666666, 2.0]
    """
    return balanced(np.bincount(target, weights=weight))


def balanced(total: np.ndarray) -> np.ndarray:
    """`class_weights` of what the rows of each class weigh together, [k]."""
    present = total > 0
    return np.divide(total.sum() / present.sum(), total, out=np.zeros_like(total), where=present)
