"""`Postprocess`: what turns the outputs of a package's members into a `Prediction`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from distml.postprocess.blend import blended
from distml.postprocess.calibration import Calibration, calibration_from_dict, calibration_to_dict
from distml.target import ClassTarget, NumericTarget, Target, target_from_dict, target_to_dict


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """Predictions for n rows: `values` are labels (object [n]) or numbers (float64 [n]); `probabilities` float64
    [n, k] in the order of `labels` for classes, else None."""

    values: np.ndarray
    probabilities: np.ndarray | None
    labels: tuple[Any, ...] | None

    def __len__(self) -> int:
        return len(self.values)

    def slice(self, start: int, stop: int) -> Prediction:
        """The predictions of rows start to stop, as views."""
        probabilities = None if self.probabilities is None else self.probabilities[start:stop]
        return Prediction(values=self.values[start:stop], probabilities=probabilities, labels=self.labels)

    @property
    def scores(self) -> np.ndarray:
        """What metrics take: probabilities [n, k] or values [n]."""
        return self.values if self.probabilities is None else self.probabilities

    @property
    def score(self) -> np.ndarray:
        """One number per row, float64 [n]: the value, the positive class's probability, or the likeliest one's."""
        if self.probabilities is None:
            return self.values
        return self.probabilities[:, 1] if self.probabilities.shape[1] == 2 else self.probabilities.max(axis=1)


@dataclass(frozen=True, kw_only=True)
class Postprocess:
    """Fitted on validation predictions and carried in the package.

    weights: one per member, summing to 1. calibration: applied to the blended probabilities of classes. threshold:
    the positive probability from which a binary prediction is positive.
    """

    weights: tuple[float, ...]
    target: Target
    calibration: Calibration | None = None
    threshold: float = 0.5

    def __call__(self, outputs: Sequence[np.ndarray]) -> Prediction:
        """Outputs of each member, [n, k] probabilities or [n] standardised values."""
        assert len(outputs) == len(self.weights), "one output per member"
        output = blended(outputs, self.weights)
        if isinstance(self.target, NumericTarget):
            return Prediction(values=self.target.decode(output), probabilities=None, labels=None)
        return self._classes(output if self.calibration is None else self.calibration(output), self.target)

    def _classes(self, probabilities: np.ndarray, target: ClassTarget) -> Prediction:
        if probabilities.shape[1] == 2:
            codes = (probabilities[:, 1] >= self.threshold).astype(np.int64)
        else:
            codes = probabilities.argmax(axis=1)
        return Prediction(values=self._labels[codes], probabilities=probabilities, labels=target.labels)

    @cached_property
    def _labels(self) -> np.ndarray:
        """Of a target of classes, object [k]."""
        assert isinstance(self.target, ClassTarget)
        labels = np.empty(len(self.target.labels), object)
        labels[:] = self.target.labels
        return labels

    def to_dict(self) -> dict[str, Any]:
        return {
            "weights": list(self.weights),
            "calibration": calibration_to_dict(self.calibration),
            "threshold": self.threshold,
            "target": target_to_dict(self.target),
        }

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Postprocess:
        return cls(
            weights=tuple(value["weights"]),
            calibration=calibration_from_dict(value["calibration"]),
            threshold=value["threshold"],
            target=target_from_dict(value["target"]),
        )
