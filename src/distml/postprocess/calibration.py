"""Calibration: probabilities that say how often they come true, by a map fitted on held-out outputs.

A map is a value of a few numbers, kept as JSON. Each keeps the order of a row's classes or, for two classes, of rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

from distml.config.postprocess import CalibrationMethod
from distml.softmax import softmax

_TINY = 1e-12  # a probability of zero has no logarithm


@dataclass(frozen=True)
class Temperature:
    """softmax(log p / temperature) (Guo et al. 2017). Above 1 it makes a model less sure."""

    temperature: float
    kind: ClassVar[str] = "temperature"

    def __call__(self, probabilities: np.ndarray) -> np.ndarray:
        """Calibrated probabilities, float64 [n, k]."""
        return softmax(_log(probabilities) / self.temperature)


@dataclass(frozen=True)
class Platt:
    """sigmoid(slope * logit p + intercept) for two classes (Platt 1999)."""

    slope: float
    intercept: float
    kind: ClassVar[str] = "platt"

    def __call__(self, probabilities: np.ndarray) -> np.ndarray:
        """Calibrated probabilities, float64 [n, 2]."""
        from scipy.special import expit

        logs = _log(probabilities)
        positive = expit(self.slope * (logs[:, 1] - logs[:, 0]) + self.intercept)
        return np.column_stack([1 - positive, positive])


@dataclass(frozen=True)
class Isotonic:
    """The rising curve through (x, y) nearest to what came true, for two classes (Zadrozny and Elkan 2002)."""

    x: tuple[float, ...]
    y: tuple[float, ...]
    kind: ClassVar[str] = "isotonic"

    def __call__(self, probabilities: np.ndarray) -> np.ndarray:
        """Calibrated probabilities, float64 [n, 2]; rows between two steps keep their order."""
        positive = np.interp(probabilities[:, 1], self.x, self.y)
        return np.column_stack([1 - positive, positive])


Calibration = Temperature | Platt | Isotonic
_KINDS: dict[str, Callable[..., Calibration]] = {kind.kind: kind for kind in (Temperature, Platt, Isotonic)}


def fit_calibration(
    method: CalibrationMethod, probabilities: np.ndarray, target: np.ndarray, weight: np.ndarray | None = None
) -> Calibration | None:
    """The map of a method that lowers the log loss of held-out rows most; None where it wouldn't lower it.

    probabilities: float64 [n, k]; target: class codes int [n]; weight: float [n].
    """
    weights = np.ones(len(target)) if weight is None else weight.astype(float)
    if method == "none" or not len(target) or not weights.sum() > 0:
        return None
    fitted = _FITS[method](probabilities, target, weights)
    before, after = _log_loss(probabilities, target, weights), _log_loss(fitted(probabilities), target, weights)
    return fitted if after < before else None


def calibration_to_dict(calibration: Calibration | None) -> dict[str, Any] | None:
    return None if calibration is None else {"kind": calibration.kind, **asdict(calibration)}


def calibration_from_dict(value: dict[str, Any] | None) -> Calibration | None:
    """The inverse of `calibration_to_dict`."""
    if value is None:
        return None
    fields = {name: tuple(item) if isinstance(item, list) else item for name, item in value.items() if name != "kind"}
    return _KINDS[value["kind"]](**fields)


def _fit_temperature(probabilities: np.ndarray, target: np.ndarray, weights: np.ndarray) -> Temperature:
    from scipy.optimize import minimize_scalar

    logs = _log(probabilities)

    def loss(log_temperature: float) -> float:
        return _log_loss(softmax(logs / np.exp(log_temperature)), target, weights)

    found = minimize_scalar(loss, bounds=(-3.0, 3.0), method="bounded")
    return Temperature(float(np.exp(found.x)))


def _fit_platt(probabilities: np.ndarray, target: np.ndarray, weights: np.ndarray) -> Platt:
    from scipy.optimize import minimize

    def loss(values: np.ndarray) -> float:
        return _log_loss(Platt(*values)(probabilities), target, weights)

    slope, intercept = minimize(loss, np.array([1.0, 0.0]), method="Nelder-Mead").x
    return Platt(float(slope), float(intercept))


def _fit_isotonic(probabilities: np.ndarray, target: np.ndarray, weights: np.ndarray) -> Isotonic:
    from sklearn.isotonic import IsotonicRegression

    # No row is ever certain: a curve that reached 0 or 1 would have an endless loss on the first row that it errs on.
    edge = 1 / (len(target) + 2)
    curve = IsotonicRegression(y_min=edge, y_max=1 - edge, out_of_bounds="clip")
    curve.fit(probabilities[:, 1], target == 1, sample_weight=weights)
    return Isotonic(tuple(map(float, curve.X_thresholds_)), tuple(map(float, curve.y_thresholds_)))


_FITS: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray], Calibration]] = {
    "temperature": _fit_temperature,
    "platt": _fit_platt,
    "isotonic": _fit_isotonic,
}


def _log(probabilities: np.ndarray) -> np.ndarray:
    return np.log(probabilities.clip(_TINY, 1.0))


def _log_loss(probabilities: np.ndarray, target: np.ndarray, weights: np.ndarray) -> float:
    return float(-np.average(_log(probabilities)[np.arange(len(target)), target], weights=weights))
