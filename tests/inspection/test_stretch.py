from __future__ import annotations

from functools import reduce

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distml.inspection.stretch import PENALTY, Run, Stretch, at_most, chance_of_stretch

parts = st.lists(st.lists(st.sampled_from([0, 0, 1, 2]), max_size=12), max_size=6)


@given(parts)
def test_a_run_is_the_same_whatever_the_parts(found):
    values = np.array([value for part in found for value in part], np.uint64)
    merged = reduce(Run.merge, [Run.of(np.array(part, np.uint64)) for part in found], Run())
    assert merged == Run.of(values)


def brute(missing: np.ndarray) -> float:
    """The best sum of any segment."""
    weights = np.where(missing, 1.0, -PENALTY)
    sums = [weights[i:j].sum() for i in range(len(weights)) for j in range(i, len(weights) + 1)]
    return max(sums, default=0.0)


@given(parts)
def test_a_stretch_is_the_best_segment_whatever_the_parts(found):
    missing = np.array([value == 0 for part in found for value in part], bool)
    merged = reduce(Stretch.merge, [Stretch.of(np.array([v == 0 for v in part], bool)) for part in found], Stretch())
    assert merged.best == brute(missing)
    weights = np.where(missing, 1.0, -PENALTY)
    assert weights[merged.start : merged.end].sum() == merged.best
    assert merged.num_rows == len(missing)


def test_the_chance_of_a_stretch_bounds_what_is_simulated():
    rng = np.random.default_rng(0)
    n, share, level = 2000, 0.05, 0.05
    alarms = sum(
        chance_of_stretch(Stretch.of(rng.random(n) < share).best, share, n) <= level for _ in range(400)
    )  # fmt: skip
    assert alarms <= 0.05 * 400 + 15


@pytest.mark.parametrize("share", [0.02, 0.15, 0.19, 0.22, 0.4])
def test_values_missing_by_chance_make_no_stretch_whatever_their_share(share):
    rng = np.random.default_rng(0)
    n, alarms = 1000, 0
    for _ in range(200):
        missing = rng.random(n) < share
        found = Stretch.of(missing)
        length = found.end - found.start
        if length < n:
            inside = (found.best + PENALTY * length) / (1 + PENALTY)
            outside = max(missing.sum() - inside, 0) / (n - length)
            alarms += chance_of_stretch(found.best, at_most(outside, n - length), n) <= 0.001
    assert alarms <= 2  # 0.2 are expected


def test_a_column_that_is_mostly_missing_has_no_unlikely_stretch():
    assert chance_of_stretch(1000, 0.5, 2000) == 1.0
