"""Scales of many columns at once give each number as its own scale does, to the bit."""

from __future__ import annotations

import numpy as np
import pytest

from distml.scaling import LinearScale, LogScale, QuantileScale, ScalesTogether

RNG = np.random.default_rng(0)
LINEAR = [LinearScale(center=0.3, scale=2.0), LinearScale(center=-5.0, scale=1e-3)]
LOG = [LogScale(center=0.5, scale=0.7)]
QUANTILE = [
    QuantileScale.from_sample(RNG.normal(size=2000)),
    QuantileScale.from_sample(RNG.integers(0, 4, 500).astype(float)),
    QuantileScale.from_sample(np.exp(RNG.normal(size=3000) * 4)),
]
SCALES = {
    "linear": LINEAR,
    "log": LOG,
    "quantile": QUANTILE,
    "none": [None, None],
    "mixed": [QUANTILE[0], None, *LINEAR, QUANTILE[2], *LOG],
}


@pytest.mark.parametrize("scales", SCALES.values(), ids=SCALES)
@pytest.mark.parametrize("n", [0, 1, 2, 63, 64, 127, 128, 400])
def test_each_column_is_scaled_as_by_its_own_scale(scales, n):
    values = RNG.normal(size=(n, len(scales))) * 3
    values[::7] = np.round(values[::7])  # references themselves, and zeros
    values[3::11] = np.nan
    values[5::13] = -0.0
    values[6::17] = 1e300
    found = ScalesTogether(scales).transform(values)
    for i, scale in enumerate(scales):
        column = values[:, i].copy()
        wanted = column if scale is None else scale.transform(column)
        np.testing.assert_array_equal(found[:, i], wanted)


def test_what_is_given_is_left_alone():
    values = RNG.normal(size=(4, 2))
    before = values.copy()
    scaled = ScalesTogether([None, LINEAR[0]]).transform(values)
    np.testing.assert_array_equal(values, before)
    np.testing.assert_array_equal(scaled[:, 0], before[:, 0])
