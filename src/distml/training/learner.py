"""`Learner`: what can be fitted epoch by epoch. Networks, trees and folds are learners; `fit` drives any of them."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from distml.batch import FeatureBatch
from distml.models.base import Model, ModelSpec


class Learner(Protocol):
    """Holds the training rows and what has been learnt of them.

    What an epoch does follows from the state, the seed and the epoch's number alone, so that a learner which is given
    another's state goes on as that one would have.
    """

    @property
    def spec(self) -> ModelSpec: ...

    def epoch(self, number: int) -> float:
        """Learns for an epoch, counted from 1; the mean training loss, NaN where it isn't known."""
        ...

    def predict(self, batch: FeatureBatch) -> np.ndarray:
        """As `Model.predict`, as the learner presently is."""
        ...

    def keep(self) -> None:
        """Remembers what the learner presently is: it is the best so far."""
        ...

    def model(self) -> Model | None:
        """What was kept last, or what the learner presently is where nothing was; None for folds."""
        ...

    def state(self) -> dict[str, Any]:
        """Everything that going on needs: tensors, plain values, and mappings and lists of them. The tensors are the
        learner's own and change with it: they are to be stored before it goes on."""
        ...

    def load_state(self, state: dict[str, Any]) -> None:
        """Goes on from the state of a learner of the same family and rows. The spec's own parameters hold."""
        ...
