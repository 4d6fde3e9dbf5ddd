"""A table with nothing wrong has no finding, whatever its distributions."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from distml.inspection.counts import NumberCounts
from distml.inspection.numbers import are_negatives_odd, is_zero_rare
from distml.inspection.tails import outlier_bounds
from inspected import clean_frame, inspected


def wrong(found):
    """All but the values that are missing, which are counted in every table."""
    return [o for o in found.observations if (o.kind, o.column) not in (("cleaned", "gaps"), ("cleaned", "holes"))]


@pytest.mark.parametrize("target", ["class", "three", "number"])
@pytest.mark.parametrize(("n", "seed"), [(150, 0), (500, 1), (3000, 2)])
def test_no_finding(tmp_path, target, n, seed):
    clean_frame(n, seed, target).to_csv(tmp_path / "t.csv", index=False)
    found = inspected(tmp_path / "t.csv")
    assert wrong(found) == []


def test_no_finding_in_a_test_table_drawn_alike(tmp_path):
    clean_frame(2000, 3).to_csv(tmp_path / "t.csv", index=False)
    clean_frame(1000, 4).to_csv(tmp_path / "test.csv", index=False)
    found = inspected(tmp_path / "t.csv", data={"test": {"uri": str(tmp_path / "test.csv")}})
    assert [
        o for o in found.observations if (o.kind, o.column) not in (("cleaned", "gaps"), ("cleaned", "holes"))
    ] == []


def test_no_finding_in_two_hundred_columns_of_noise(tmp_path):
    rng = np.random.default_rng(5)
    n = 800
    columns = {f"n{i}": rng.standard_normal(n).round(4) for i in range(60)}
    columns |= {f"l{i}": rng.lognormal(0, 1, n).round(3) for i in range(60)}
    columns |= {f"p{i}": rng.poisson(1 + i % 7, n) for i in range(40)}
    columns |= {f"c{i}": rng.choice(list("abcdef"), n) for i in range(40)}
    pd.DataFrame({**columns, "y": rng.integers(0, 2, n)}).to_csv(tmp_path / "t.csv", index=False)
    assert inspected(tmp_path / "t.csv").observations == ()


DRAWS = {
    "normal": lambda rng, n: rng.normal(size=n),
    "lognormal": lambda rng, n: rng.lognormal(0, 2, n),
    "pareto of infinite mean": lambda rng, n: rng.pareto(1, n),
    "cauchy": lambda rng, n: rng.standard_cauchy(n),
    "t of 3": lambda rng, n: rng.standard_t(3, n),
    "t of 2 far from zero": lambda rng, n: 100 + 10 * rng.standard_t(2, n),
    "zipf": lambda rng, n: rng.zipf(2, n).astype(float),
    "poisson": lambda rng, n: rng.poisson(5, n).astype(float),
    "rounded lognormal": lambda rng, n: np.round(rng.lognormal(2, 1, n)),
}


@pytest.mark.parametrize("name", DRAWS)
@pytest.mark.parametrize("n", [200, 5000])
def test_outliers_alarm_at_their_rate_at_most(name, n):
    rng = np.random.default_rng(0)
    alarms = 0
    for _ in range(200):
        numbers = DRAWS[name](rng, n)
        counts = NumberCounts.of(numbers, 10_000)
        alarms += outlier_bounds(counts, float(np.median(numbers)), 1) != (None, None)
        alarms += are_negatives_odd(counts, float(np.median(numbers)))
    assert alarms <= 6  # 2 are expected at most; the chance of more than 6 is below 1 %


def test_counts_of_few_are_not_taken_for_zeros_that_do_not_belong():
    rng = np.random.default_rng(0)
    for numbers in (rng.poisson(1.2, 5000), rng.binomial(3, 0.4, 5000), rng.geometric(0.6, 5000) - 1):
        values, rows = np.unique(numbers, return_counts=True)
        assert not is_zero_rare(values[:4].astype(float), rows[:4])


@pytest.mark.parametrize("n", [300, 3000])
def test_columns_that_tell_something_among_noise_are_no_leaks(tmp_path, n):
    rng = np.random.default_rng(3)
    x, z = rng.normal(size=n), rng.normal(size=n)
    noise = {f"n{i}": rng.normal(size=n) for i in range(4)}
    y = np.where(x + z + 0.5 * rng.normal(size=n) > 0, "up", "down")
    pd.DataFrame({"x": x, "z": z, **noise, "y": y}).to_csv(tmp_path / "t.csv", index=False)
    assert inspected(tmp_path / "t.csv").observations == ()
