from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from inspected import count, inspected, seen


def look(tmp_path, **columns):
    n = len(next(iter(columns.values())))
    y = np.random.default_rng(9).normal(size=n)
    pd.DataFrame({**columns, "y": y}).to_csv(tmp_path / "t.csv", index=False)
    return inspected(tmp_path / "t.csv")


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_codes_for_missing_values_one_after_the_other(tmp_path, rng):
    x = rng.integers(18, 80, 600)
    x[:7], x[10:16] = -999, 9999
    found = look(tmp_path, x=x)
    told = sorted((o.count, o.remedy) for o in found.observations if o.kind == "sentinel")
    assert told == [(6, "clean: {replace: {x: {9999: null}}}"), (7, "clean: {replace: {x: {-999: null}}}")]


@pytest.mark.parametrize("low", [-1, -3])
def test_a_scale_that_begins_below_zero_has_no_code(tmp_path, rng, low):
    assert look(tmp_path, x=rng.integers(low, 6, 900)).observations == ()


def test_negative_amounts_among_amounts(tmp_path, rng):
    x = rng.lognormal(2, 0.8, 5000).round(2)
    x[[100, 200, 300]] *= -1
    found = look(tmp_path, x=x)
    seen_x = seen(found, "impossible", "x")
    assert (seen_x.count, [e.row for e in seen_x.examples]) == (3, [100, 200, 300])


def test_zeros_apart_from_all_other_numbers(tmp_path, rng):
    x = rng.normal(60, 12, 3000).round(0).clip(20, 100)
    x[:12] = 0
    assert count(look(tmp_path, x=x), "zeros", "x") == 12


def test_many_zeros_are_what_is_usual(tmp_path, rng):
    x = np.where(rng.random(3000) < 0.6, 0, rng.lognormal(3, 1, 3000).round(1))
    assert look(tmp_path, x=x).observations == ()


def test_numbers_cut_off(tmp_path, rng):
    x = rng.normal(50, 20, 4000).round(1).clip(None, 80)
    found = look(tmp_path, x=x)
    assert count(found, "cap", "x") == int((x == 80).sum())


def test_an_end_before_its_beginning(tmp_path, rng):
    start = pd.Timestamp("2024-03-01") + pd.to_timedelta(rng.integers(0, 10**7, 1000), "s")
    end = pd.Series(start + pd.to_timedelta(rng.integers(60, 7200, 1000), "s"))
    end[7], end[9] = start[7] - pd.Timedelta("1h"), start[9]
    found = look(tmp_path, ended=end, began=start)
    told = seen(found, "impossible", "ended")
    assert (told.count, [e.row for e in told.examples], told.rule) == (2, [7, 9], "ended comes after began")


def test_a_date_far_from_all_others(tmp_path, rng):
    day = pd.Series(pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 10**7, 1000), "s"))
    day[[3, 4]] = pd.Timestamp("1970-01-01")
    found = look(tmp_path, day=day)
    assert [e.value for e in seen(found, "outlier", "day").examples] == ["1970-01-01 00:00:00"] * 2


def test_several_outliers_do_not_hide_each_other(tmp_path, rng):
    x = rng.normal(size=2000)
    x[:4] = [40, 45, 300, 90_000]
    assert count(look(tmp_path, x=x), "outlier", "x") == 4


def test_a_wide_tail_has_no_outliers_but_a_method_that_counts_deviations_finds_some(tmp_path, rng):
    pd.DataFrame({"x": rng.lognormal(0, 1.5, 2000), "y": rng.normal(size=2000)}).to_csv(tmp_path / "t.csv", index=False)
    assert inspected(tmp_path / "t.csv").observations == ()
    for method in ("robust_z", "iqr"):
        found = inspected(tmp_path / "t.csv", validate={"outliers": {"method": method}})
        assert count(found, "outlier", "x") > 50
