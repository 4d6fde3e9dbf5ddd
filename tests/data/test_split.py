import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distml.config import SplitConfig
from distml.data import SPLITS, SplitPlan, plan_split
from distml.hashing import mix

TRAIN, VALIDATION, TEST = range(3)


def rows_of(n: int, start: int = 0) -> np.ndarray:
    return mix(np.arange(start, start + n, dtype=np.uint64))


def strata_of(*sizes: int) -> np.ndarray:
    return np.repeat([f"class {i}" for i in range(len(sizes))], sizes)


def plan(rows, strata, *, validation=0.15, test=0.15, seed=0, has_test_table=False) -> SplitPlan:
    return plan_split(rows, strata, SplitConfig(validation=validation, test=test), seed, has_test_table=has_test_table)


def counts(splits: np.ndarray) -> list[int]:
    return np.bincount(splits, minlength=3).tolist()


@pytest.mark.parametrize(
    ("n", "validation", "test", "wanted"),
    [
        (100, 0.15, 0.15, [70, 15, 15]),
        (10, 0.25, 0.25, [6, 2, 2]),
        (7, 0.2, 0.2, [5, 1, 1]),
        (7, 0.25, 0.25, [3, 2, 2]),
        (1000, 0.3, 0.0, [700, 300, 0]),
        (3, 0.15, 0.15, [3, 0, 0]),
        (1, 0.15, 0.15, [1, 0, 0]),
        (1, 0.9, 0.05, [0, 1, 0]),
    ],
)
def test_shares_are_exact_but_for_rounding(n, validation, test, wanted):
    rows, strata = rows_of(n), np.full(n, "")
    assert counts(plan(rows, strata, validation=validation, test=test).assign(rows, strata)) == wanted


def test_every_stratum_has_its_exact_share():
    rows, strata = rows_of(1130), strata_of(1000, 100, 20, 10)
    splits = plan(rows, strata, validation=0.1, test=0.2).assign(rows, strata)
    found = [counts(splits[strata == name]) for name in np.unique(strata)]
    assert found == [[700, 100, 200], [70, 10, 20], [14, 2, 4], [7, 1, 2]]


def test_a_test_table_of_its_own_leaves_the_source_undivided():
    rows, strata = rows_of(100), np.full(100, "")
    assert counts(plan(rows, strata, has_test_table=True).assign(rows, strata)) == [85, 15, 0]


@given(st.randoms(use_true_random=False), st.integers(1, 9))
def test_neither_order_nor_partitioning_matters(shuffle, num_parts):
    rows, strata = rows_of(200), strata_of(120, 50, 30)
    wanted = plan(rows, strata).assign(rows, strata)
    order = np.array(shuffle.sample(range(200), 200))
    shuffled = plan(rows[order], strata[order])
    assert shuffled == plan(rows, strata)
    parts = [shuffled.assign(rows[part], strata[part]) for part in np.array_split(order, num_parts)]
    assert np.concatenate(parts).tolist() == wanted[order].tolist()


def test_a_row_is_dealt_alike_alone():
    rows, strata = rows_of(100), strata_of(60, 40)
    dealer = plan(rows, strata)
    alone = [dealer.assign(rows[i : i + 1], strata[i : i + 1])[0] for i in range(100)]
    assert alone == dealer.assign(rows, strata).tolist()


def test_seeds_deal_differently():
    rows, strata = rows_of(2000), np.full(2000, "")
    a, b = (plan(rows, strata, validation=0.25, test=0.25, seed=seed).assign(rows, strata) for seed in (0, 1))
    agreement = np.mean(a == b)
    assert abs(agreement - (0.5**2 + 2 * 0.25**2)) < 0.06  # independent deals agree this often


def test_rows_added_later_leave_most_others_where_they_were():
    rows, strata = rows_of(10_000), strata_of(7000, 3000)
    more, more_strata = np.r_[rows, rows_of(500, start=10_000)], np.r_[strata, strata_of(350, 150)]
    before = plan(rows, strata).assign(rows, strata)
    after = plan(more, more_strata).assign(more, more_strata)
    assert np.mean(before == after[:10_000]) > 0.97
    assert counts(after[more_strata == "class 0"]) == [7350 - 2 * round(7350 * 0.15), *[round(7350 * 0.15)] * 2]


def test_an_old_plan_deals_new_rows_in_proportion():
    rows, strata = rows_of(5000), np.full(5000, "")
    new = rows_of(5000, start=5000)
    shares = np.array(counts(plan(rows, strata).assign(new, strata))) / 5000
    assert np.abs(shares - [0.7, 0.15, 0.15]).max() < 0.03
    dealt = plan(rows, strata)
    assert dealt.assign(np.r_[new, rows], np.r_[strata, strata])[5000:].tolist() == dealt.assign(rows, strata).tolist()


def test_a_stratum_that_planning_never_saw_is_dealt_by_share():
    rows = rows_of(5000)
    splits = plan(rows[:100], strata_of(100)).assign(rows, np.full(5000, "new"))
    assert np.abs(np.array(counts(splits)) / 5000 - [0.7, 0.15, 0.15]).max() < 0.03


def test_validation_and_test_do_not_depend_on_each_other_within_a_seed():
    rows, strata = rows_of(1000), np.full(1000, "")
    few = plan(rows, strata, test=0.1, validation=0.1).assign(rows, strata)
    many = plan(rows, strata, test=0.1, validation=0.4).assign(rows, strata)
    assert (many[few == TEST] == TEST).all()
    assert (many[few == VALIDATION] == VALIDATION).all()


def test_no_rows_are_dealt_to_nothing():
    nothing, strata = np.empty(0, np.uint64), np.empty(0, str)
    assert plan(nothing, strata).assign(nothing, strata).tolist() == []


@pytest.mark.parametrize("row", [0, 1, 2**63, 2**64 - 1])
def test_extreme_hashes_are_dealt(row):
    rows, strata = np.array([row], np.uint64), np.array([""])
    assert plan(rows, strata, validation=0.9, test=0.05).assign(rows, strata).tolist() == [VALIDATION]


def test_round_trips_through_json():
    rows, strata = rows_of(100), strata_of(99, 1)
    dealer = plan(rows, strata, seed=2**31 - 1)
    copy = SplitPlan.from_dict(orjson.loads(orjson.dumps(dealer.to_dict())))
    assert copy == dealer
    assert copy.assign(rows, strata).tolist() == dealer.assign(rows, strata).tolist()


def test_names_of_splits():
    assert SPLITS == ("train", "validation", "test")
