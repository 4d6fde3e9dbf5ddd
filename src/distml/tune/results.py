"""What a trial leaves when it ends with a score: its model and its outputs, so that nothing has to be fitted again.

<folder>/trials/000001/model.json, ...   the model of the best epoch; none of a fit over folds
<folder>/trials/000001/outputs.npy       its outputs: of the validation rows, or of all rows out of fold
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from distml.errors import NotFoundError
from distml.metrics import Metric
from distml.models import Model
from distml.storage import Storage
from distml.training import FitResult
from distml.training.results import read_model, read_outputs, write_result
from distml.tune.objective import TrialRecord

_MODEL_BYTES = 10_000_000  # of a model and a state, which aren't known before they are made


@dataclass(frozen=True)
class TrialResults:
    """The results of a search's trials, in the search's folder. Written by the trials' own processes."""

    storage: Storage
    folder: str

    def key(self, number: int) -> str:
        return f"{self.folder}/trials/{number:06d}"

    def write(self, number: int, result: FitResult) -> None:
        """Writes what a trial's fit came to. Raises as `write_result`."""
        write_result(self.storage, self.key(number), result)

    def outputs(self, number: int) -> np.ndarray | None:
        """Probabilities float64 [m, k] or standardised values [m] at the best epoch; None where there are none:
        a trial that was given up, failed, was stopped from outside, or was not among the best.
        """
        try:
            return read_outputs(self.storage, self.key(number))
        except NotFoundError:
            return None

    def model(self, number: int) -> Model | None:
        """The model of the best epoch; None where there is none, as for `outputs` and after a fit over folds."""
        if not self.storage.exists(f"{self.key(number)}/model.json"):
            return None
        return read_model(self.storage, self.key(number))

    def numbers(self) -> list[int]:
        """The trials that have left something."""
        names = self.storage.list(f"{self.folder}/trials")
        return [int(name) for name in names if name.isdigit()]

    def delete(self, number: int) -> None:
        self.storage.delete(self.key(number))


def room_for(num_rows: int, num_outputs: int, num_kept: int) -> int:
    """Bytes that a search takes on its disk, roughly: of each kept trial its outputs, its model, and a state."""
    return num_kept * (num_rows * num_outputs * 8 + _MODEL_BYTES)


class Keeper:
    """Which trials' results are kept as a search goes: those of the best so far, the earlier one of equals. Pure.

    Of several objectives it is the score that counts.
    """

    def __init__(self, metric: Metric, num_kept: int) -> None:
        self.metric = metric
        self.num_kept = num_kept
        self._kept: list[tuple[float, int]] = []  # the best first

    def add(self, record: TrialRecord) -> list[int]:
        """Notes how a trial ended; the trials whose results go now, itself among them where it isn't kept."""
        if record.state == "pruned":  # it has left nothing
            return []
        if record.state == "failed" or record.score is None or np.isnan(record.score):
            return [record.number]
        ranked = sorted([*self._kept, (-self.metric.sign * record.score, record.number)])
        self._kept = ranked[: self.num_kept]
        return [number for _, number in ranked[self.num_kept :]]

    @property
    def numbers(self) -> list[int]:
        """The trials whose results are kept, the best first."""
        return [number for _, number in self._kept]

    @property
    def score_to_keep(self) -> float | None:
        """The score that the results of a later trial must beat to be kept; None where there is room."""
        return -self.metric.sign * self._kept[-1][0] if len(self._kept) == self.num_kept else None
