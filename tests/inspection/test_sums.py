"""Sums of columns that make up a target."""

import numpy as np
import pytest

from distml.inspection.sums import Identity, find_identity

N = 3000


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(3)


def noise(rng: np.random.Generator, count: int) -> dict[str, np.ndarray]:
    return {f"noise_{i}": rng.normal(size=N) for i in range(count)}


def test_parts_are_found_among_other_columns(rng):
    a, b = rng.poisson(20, N).astype(float), rng.poisson(80, N).astype(float)
    found = find_identity({**noise(rng, 5), "a": a, "b": b}, a + b)
    assert found is not None
    assert found.weights == pytest.approx({"b": 1, "a": 1})
    assert (found.share, found.told) == (1, "b + a")
    assert set(found.makes_up) == {"a", "b"}


def test_of_a_difference_only_the_whole_holds_the_target(rng):
    a, b = rng.gamma(2, 30, N), rng.gamma(2, 10, N)
    found = find_identity({"whole": a + b, "b": b, **noise(rng, 2)}, a)
    assert found is not None
    assert (found.makes_up, found.told) == (("whole",), "whole - b")


def test_where_nothing_is_added_all_of_it_makes_up_the_target(rng):
    a, b = rng.gamma(2, 30, N), rng.gamma(2, 10, N)
    found = find_identity({"a": a, "b": b}, 100 - a - b)
    assert found is not None
    assert set(found.makes_up) == {"a", "b"}


def test_a_rounded_mean(rng):
    a, b = rng.gamma(2, 30, N), rng.gamma(2, 30, N)
    found = find_identity({"a": a, "b": b, **noise(rng, 3)}, np.round((a + b) / 2, 2))
    assert found is not None
    assert found.weights == pytest.approx({"a": 0.5, "b": 0.5}, abs=1e-3)
    assert found.told in ("0.5 a + 0.5 b", "0.5 b + 0.5 a")


def test_missing_parts_count_as_nothing(rng):
    a, b = rng.gamma(2, 30, N), np.where(rng.random(N) < 0.5, np.nan, rng.gamma(2, 10, N))
    found = find_identity({"a": a, "b": b}, a + np.nan_to_num(b))
    assert found is not None
    assert set(found.weights) == {"a", "b"}


def test_rows_that_do_not_follow_move_nothing(rng):
    a, b = rng.gamma(2, 30, N).round(2), rng.gamma(2, 10, N).round(2)
    target = a + b
    target[: N // 3] += rng.choice([0.5, 2.5], N // 3)  # a charge that no column has
    target[-1] = 1e6
    found = find_identity({"a": a, "b": b, **noise(rng, 4)}, target)
    assert found is not None
    assert found.weights == pytest.approx({"a": 1, "b": 1}, rel=1e-3)
    assert found.share == pytest.approx(2 / 3, abs=0.05)


def test_a_rule_for_some_rows_makes_up_nothing(rng):
    fare = rng.gamma(2, 10, N).round(1)
    tip = np.where(rng.random(N) < 0.4, (0.2 * fare).round(2), rng.gamma(1, 3, N).round(2))
    assert find_identity({"fare": fare, **noise(rng, 3)}, tip) is None


@pytest.mark.parametrize("spread", [0.3, 0.01])
def test_a_good_prediction_is_no_sum(rng, spread):
    x = rng.normal(size=N)
    assert find_identity({"x": x, **noise(rng, 3)}, (100 * x + spread * 100 * rng.normal(size=N)).round(1)) is None


def test_a_usual_value_is_met_by_any_constant(rng):
    hours = np.where(rng.random(N) < 0.6, 40, rng.integers(1, 99, N)).astype(float)
    assert find_identity(noise(rng, 3), hours) is None


def test_counts_of_few_values(rng):
    a, b = rng.integers(0, 8, N).astype(float), rng.integers(0, 8, N).astype(float)
    found = find_identity({"a": a, "b": b, **noise(rng, 3)}, a + b)
    assert found is not None
    assert set(found.weights) == {"a", "b"}


def test_moments_far_from_zero(rng):
    start = 1.6e9 + rng.integers(0, 10**7, N).astype(float)
    seconds = rng.integers(60, 5000, N).astype(float)
    found = find_identity({"start": start, "end": start + seconds, **noise(rng, 2)}, seconds)
    assert found is not None
    assert found.makes_up == ("end",)


def test_columns_that_do_not_vary_have_no_part(rng):
    a = rng.gamma(2, 30, N)
    found = find_identity({"a": a, "one": np.ones(N), "nothing": np.full(N, np.nan)}, 3 * a + 5)
    assert found is not None
    assert found.weights == pytest.approx({"a": 3})


@pytest.mark.parametrize("case", ["few rows", "constant target", "no columns"])
def test_nothing_is_said_where_nothing_can_be(rng, case):
    a = rng.gamma(2, 30, N)
    columns = {} if case == "no columns" else {"a": a}
    target = np.ones(N) if case == "constant target" else a
    rows = slice(0, 19) if case == "few rows" else slice(None)
    assert find_identity({name: values[rows] for name, values in columns.items()}, target[rows]) is None


def test_a_sum_is_told_with_its_weights():
    told = Identity(weights={"a": 1.0, "b": -2.5, "c": 0.999}, share=1, closeness=1).told
    assert told == "a - 2.5 b + c"


@pytest.mark.filterwarnings("error")
def test_numbers_whose_squares_are_beyond_floats():
    rng = np.random.default_rng(3)
    a, b = rng.integers(0, 50, (2, 1000)).astype(float)
    assert find_identity({"a": a, "b": b}, 1e200 * (a + b)) is None
    found = find_identity({"a": a, "huge": 1e305 * rng.normal(size=1000), "b": b}, a + b)
    assert found is not None and set(found.weights) == {"a", "b"}
