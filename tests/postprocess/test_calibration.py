"""Maps of probabilities, fitted on held-out rows."""

from __future__ import annotations

import json

import numpy as np
import pytest

from distml.metrics import METRICS
from distml.postprocess import fit_calibration
from distml.postprocess.calibration import (
    Isotonic,
    Platt,
    Temperature,
    calibration_from_dict,
    calibration_to_dict,
)

LOG_LOSS = METRICS["log_loss"]


def sharpened(num_classes, factor, n=4_000, seed=0):
    """Targets drawn by probabilities, and those probabilities with logits times a factor."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n, num_classes)) * 1.5
    true = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    target = (true.cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)
    claimed = np.exp(logits * factor)
    return claimed / claimed.sum(axis=1, keepdims=True), target, true


@pytest.mark.parametrize("num_classes", [2, 4])
def test_the_temperature_that_sharpened_is_found(num_classes):
    claimed, target, true = sharpened(num_classes, 2.5)
    fitted = fit_calibration("temperature", claimed, target)
    assert isinstance(fitted, Temperature) and fitted.temperature == pytest.approx(2.5, rel=0.1)
    assert np.abs(fitted(claimed) - true).mean() < 0.02


@pytest.mark.parametrize("method", ["temperature", "platt", "isotonic"])
def test_the_loss_of_overconfident_probabilities_falls_and_rows_sum_to_one(method):
    claimed, target, _ = sharpened(2, 3.0)
    fitted = fit_calibration(method, claimed, target)
    assert fitted is not None
    calibrated = fitted(claimed)
    assert LOG_LOSS(target, calibrated) < LOG_LOSS(target, claimed) - 0.05
    assert np.allclose(calibrated.sum(axis=1), 1) and calibrated.min() >= 0


def test_platt_finds_a_shift_too():
    claimed, target, true = sharpened(2, 1.0)
    odds = claimed[:, 1] / claimed[:, 0] * np.exp(1.0)
    shifted = np.column_stack([1 / (1 + odds), odds / (1 + odds)])
    fitted = fit_calibration("platt", shifted, target)
    assert isinstance(fitted, Platt)
    assert fitted.intercept == pytest.approx(-1.0, abs=0.15) and fitted.slope == pytest.approx(1.0, abs=0.1)
    assert np.abs(fitted(shifted) - true).mean() < 0.02


@pytest.mark.parametrize("method", ["temperature", "platt"])
def test_the_order_of_rows_is_kept(method):
    claimed, target, _ = sharpened(2, 3.0, n=500)
    fitted = fit_calibration(method, claimed, target)
    assert fitted is not None
    assert (np.argsort(fitted(claimed)[:, 1]) == np.argsort(claimed[:, 1])).all()


def test_an_isotonic_curve_never_is_certain():
    probabilities = np.column_stack([1 - np.linspace(0, 1, 50), np.linspace(0, 1, 50)])
    target = (np.linspace(0, 1, 50) > 0.5).astype(int)
    fitted = fit_calibration("isotonic", probabilities, target)
    assert isinstance(fitted, Isotonic)
    calibrated = fitted(np.array([[1.0, 0.0], [0.0, 1.0]]))
    assert calibrated.min() > 0 and calibrated.max() < 1


def test_certainty_that_erred_stays_finite():
    probabilities = np.array([[0.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
    fitted = fit_calibration("temperature", probabilities, np.array([0, 0, 1]))
    assert fitted is not None and np.isfinite(fitted(probabilities)).all()


def test_nothing_is_fitted_where_it_would_not_help():
    target = np.array([0, 1])
    assert fit_calibration("none", np.array([[0.9, 0.1], [0.2, 0.8]]), target) is None
    assert fit_calibration("temperature", np.empty((0, 2)), np.empty(0, int)) is None
    assert fit_calibration("temperature", np.array([[0.5, 0.5], [0.5, 0.5]]), target) is None


def test_weights_count_as_rows_do():
    claimed, target, _ = sharpened(2, 2.0, n=300)
    weight = np.arange(300) % 3
    again = np.repeat(np.arange(300), weight)
    weighted = fit_calibration("temperature", claimed, target, weight.astype(float))
    repeated = fit_calibration("temperature", claimed[again], target[again])
    assert isinstance(weighted, Temperature) and isinstance(repeated, Temperature)
    assert weighted.temperature == pytest.approx(repeated.temperature, rel=1e-4)


@pytest.mark.parametrize("value", [None, Temperature(2.0), Platt(0.5, -1.0), Isotonic((0.1, 0.9), (0.2, 0.7))])
def test_a_map_survives_json(value):
    assert calibration_from_dict(json.loads(json.dumps(calibration_to_dict(value)))) == value
