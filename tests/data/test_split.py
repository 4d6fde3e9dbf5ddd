"""Cuts: each split its share, each fold too, whatever the order and the partitioning."""

from __future__ import annotations

import numpy as np
import orjson
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distml.config import SplitConfig
from distml.data import SPLITS, SplitPlan, plan_split
from distml.data.dealing import Dealing
from distml.data.split import UNDECIDED, foresee, with_folds
from distml.hashing import mix

TRAIN, VALIDATION, TEST = range(3)
KINDS = ("random", "stratified", "group", "time", "predefined")


def rows_of(n: int, start: int = 0) -> np.ndarray:
    return mix(np.arange(start, start + n, dtype=np.uint64))


def classes(*sizes: int) -> list[str]:
    return np.repeat([f"class {i}" for i in range(len(sizes))], sizes).tolist()


class Dealt:
    """Rows with a column that they are dealt by, and the plan of them all."""

    def __init__(self, column, kind="random", rows=None, *, seed=0, has_test_table=False, **config):
        self.table = pa.table({"c": column})
        self.rows = rows_of(self.table.num_rows) if rows is None else rows
        values = {"train": "train", "validation": "validation", "test": "test"} if kind == "predefined" else {}
        self.dealing = Dealing(kind=kind, seed=seed, column="c", values=values)
        self.config = SplitConfig.model_validate(config)
        self.keys, self.strata = self.dealing.keys(self.table, self.rows), self.dealing.strata(self.table)
        self.has_test_table = has_test_table
        plan = plan_split(self.dealing, self.keys, self.strata, self.config, has_test_table=has_test_table)
        self.plan = with_folds(plan, self.rows, self.keys, self.strata, self.config.folds)

    @property
    def splits(self) -> np.ndarray:
        return self.plan.deal(self.table, self.rows)

    @property
    def folds(self) -> np.ndarray:
        return self.plan.fold(self.table, self.rows)

    def foreseen(self) -> np.ndarray:
        return foresee(self.dealing, self.keys, self.strata, self.config, has_test_table=self.has_test_table)


def counts(splits: np.ndarray) -> list[int]:
    return np.bincount(splits, minlength=3).tolist()


def some_column(kind: str, n: int, seed: int = 0) -> list:
    """What rows are dealt by, with ties, and gaps where they may be."""
    rng = np.random.default_rng(seed)
    if kind in ("random", "stratified"):
        return rng.choice(["a", "b", "c"], n, p=[0.7, 0.25, 0.05]).tolist()
    if kind == "predefined":
        return rng.choice(SPLITS, n).tolist()
    values = rng.integers(0, max(n // 4, 1), n).astype(float).tolist()
    return [None if gap else value for gap, value in zip(rng.random(n) < 0.05, values, strict=True)]


# Shares


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
    assert counts(Dealt([""] * n, validation=validation, test=test).splits) == wanted


def test_every_stratum_has_its_exact_share():
    dealt = Dealt(classes(1000, 100, 20, 10), "stratified", validation=0.1, test=0.2)
    found = [counts(dealt.splits[dealt.strata.codes == code]) for code in range(4)]
    assert found == [[700, 100, 200], [70, 10, 20], [14, 2, 4], [7, 1, 2]]


def test_a_test_table_of_its_own_leaves_the_source_undivided():
    assert counts(Dealt([""] * 100, has_test_table=True).splits) == [85, 15, 0]


def test_seeds_deal_differently():
    a, b = (Dealt([""] * 2000, validation=0.25, test=0.25, seed=seed).splits for seed in (0, 1))
    assert abs(np.mean(a == b) - (0.5**2 + 2 * 0.25**2)) < 0.06  # independent deals agree this often


def test_rows_added_later_leave_most_others_where_they_were():
    before = Dealt(classes(7000, 3000), "stratified")
    more = Dealt(classes(7000, 3000) + classes(350, 150), "stratified")
    assert np.mean(before.splits == more.splits[:10_000]) > 0.97
    of_class = more.splits[np.array(more.table.column("c")) == "class 0"]
    assert counts(of_class) == [7350 - 2 * round(7350 * 0.15), *[round(7350 * 0.15)] * 2]


def test_an_old_plan_deals_new_rows_in_proportion():
    old, new = Dealt([""] * 5000), Dealt([""] * 5000, rows=rows_of(5000, start=5000))
    shares = np.array(counts(old.plan.deal(new.table, new.rows))) / 5000
    assert np.abs(shares - [0.7, 0.15, 0.15]).max() < 0.03


def test_a_stratum_that_planning_never_saw_is_dealt_by_share():
    new = Dealt(["new"] * 5000, "stratified")
    splits = Dealt(classes(100), "stratified").plan.deal(new.table, new.rows)
    assert np.abs(np.array(counts(splits)) / 5000 - [0.7, 0.15, 0.15]).max() < 0.03


def test_validation_and_test_do_not_depend_on_each_other_within_a_seed():
    few, many = (Dealt([""] * 1000, test=0.1, validation=validation).splits for validation in (0.1, 0.4))
    assert (many[few == TEST] == TEST).all()
    assert (many[few == VALIDATION] == VALIDATION).all()


@pytest.mark.parametrize("row", [0, 1, 2**63, 2**64 - 1])
def test_extreme_hashes_are_dealt(row):
    rows = np.array([row], np.uint64)
    assert Dealt(["a"], "stratified", rows, validation=0.9, test=0.05).splits.tolist() == [VALIDATION]


def test_names_of_splits():
    assert SPLITS == ("train", "validation", "test")


# Whatever the order and the partitioning


@pytest.mark.parametrize("kind", KINDS)
@given(st.randoms(use_true_random=False), st.integers(1, 9), st.integers(0, 120))
def test_neither_order_nor_partitioning_matters(kind, shuffle, num_parts, n):
    column = some_column(kind, n)
    whole = Dealt(pa.array(column, pa.string() if kind in KINDS[:2] else None), kind, folds=3)
    order = np.array(shuffle.sample(range(n), n), np.int64)
    shuffled = Dealt(whole.table.column("c").take(order), kind, whole.rows[order], folds=3)
    assert shuffled.plan == whole.plan
    for of_rows, wanted in ((shuffled.plan.deal, whole.splits), (shuffled.plan.fold, whole.folds)):
        parts = [of_rows(whole.table.take(part), whole.rows[part]) for part in np.array_split(order, num_parts)]
        assert np.concatenate(parts).tolist() == wanted[order].tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_is_dealt_alike_alone(kind):
    whole = Dealt(some_column(kind, 60), kind, folds=4)
    for i in range(60):
        one = whole.table.slice(i, 1), whole.rows[i : i + 1]
        assert (whole.plan.deal(*one)[0], whole.plan.fold(*one)[0]) == (whole.splits[i], whole.folds[i])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("folds", [None, 3])
def test_round_trips_through_json(kind, folds):
    dealt = Dealt(some_column(kind, 100), kind, seed=2**31 - 1, folds=folds)
    copy = SplitPlan.from_dict(orjson.loads(orjson.dumps(dealt.plan.to_dict())))
    assert copy == dealt.plan
    assert copy.deal(dealt.table, dealt.rows).tolist() == dealt.splits.tolist()
    assert copy.num_folds == (folds or 0)


@pytest.mark.parametrize("kind", KINDS)
def test_no_rows_are_dealt_to_nothing(kind):
    dealt = Dealt(pa.array([], pa.string() if kind != "time" else pa.float64()), kind, folds=2)
    assert dealt.splits.tolist() == dealt.folds.tolist() == dealt.foreseen().tolist() == []


# By group


def groups_of(*sizes: int) -> np.ndarray:
    return np.repeat([f"group {i}" for i in range(len(sizes))], sizes)


def of_groups(groups: np.ndarray, values: np.ndarray) -> dict[str, set[int]]:
    return {group: set(values[groups == group].tolist()) for group in np.unique(groups)}


@given(st.lists(st.integers(1, 12), min_size=1, max_size=60), st.integers(0, 50))
def test_a_group_is_in_one_split_and_one_fold(sizes, seed):
    groups = groups_of(*sizes)
    dealt = Dealt(groups, "group", seed=seed, folds=3)
    assert all(len(found) == 1 for found in of_groups(groups, dealt.splits).values())
    assert all(len(found) == 1 for found in of_groups(groups, dealt.folds).values())


@given(st.integers(0, 1000))
def test_shares_of_groups_are_within_half_a_group(seed):
    groups = groups_of(*[10] * 200)
    train, validation, test = counts(Dealt(groups, "group", seed=seed).splits)
    assert (train, validation, test) == (1400, 300, 300)
    train, validation, test = counts(Dealt(groups[:-7], "group", seed=seed, test=0.123).splits)
    assert abs(test - 0.123 * 1993) <= 5.5
    assert abs(validation - 0.15 * 1993) <= 5.5


def test_rows_without_a_group_are_each_one_of_their_own():
    column = ["together"] * 300 + [None] * 700
    splits = Dealt(column, "group").splits
    assert len(set(splits[:300].tolist())) == 1
    assert set(splits[300:].tolist()) == {TRAIN, VALIDATION, TEST}


@pytest.mark.parametrize("sizes", [[600, *[4] * 100], [100] * 3, [20] * 5, [50, 50, 1], [900, 50, 50]])
@given(seed=st.integers(0, 10_000))
def test_large_groups_leave_every_split_and_fold_some(sizes, seed):
    dealt = Dealt(groups_of(*sizes), "group", seed=seed, folds=2)
    assert min(counts(dealt.splits)) > 0
    fitted = dealt.folds[dealt.splits != TEST]
    assert min(np.bincount(fitted, minlength=2)) > 0


# By time


def test_the_latest_rows_are_test_rows_and_those_before_validation():
    times = np.random.default_rng(0).permutation(1000)
    splits = Dealt(times, "time").splits
    assert times[splits == TEST].min() == 850
    assert (times[splits == VALIDATION].min(), times[splits == VALIDATION].max()) == (700, 849)
    assert times[splits == TRAIN].max() == 699


def test_dates_before_1970_are_times():
    days = np.arange(-500, 500).astype("datetime64[D]").astype("datetime64[us]")
    splits = Dealt(pa.array(days), "time").splits
    assert [str(days[splits == code].max())[:10] for code in range(3)] == ["1970-07-19", "1970-12-16", "1971-05-15"]


@given(st.lists(st.integers(-3, 20), min_size=1, max_size=200))
def test_equal_instants_stay_together(times):
    times = np.array(times)
    splits = Dealt(times, "time", test=0.3, validation=0.3).splits
    assert all(len(set(splits[times == time].tolist())) == 1 for time in np.unique(times))
    assert (np.diff(splits[np.argsort(times, kind="stable")]) >= 0).all(), "train, validation, test in order"


@pytest.mark.parametrize("num_last", [140, 160, 500])
def test_many_rows_of_one_last_instant_leave_rows_for_validation(num_last):
    times = np.r_[np.arange(1000 - num_last), np.full(num_last, 5000)]
    _, validation, test = counts(Dealt(times, "time").splits)
    assert (validation, test) == (150, 150 if num_last < 150 else num_last)


def test_most_rows_may_be_without_a_time():
    splits = Dealt(pa.array([3.0, 1.0, 2.0, *[None] * 97]), "time").splits
    assert splits[:3].tolist() == [TEST, VALIDATION, TEST]
    assert set(splits[3:].tolist()) == {TRAIN}


def test_rows_without_a_time_are_training_rows():
    times = pa.array([None, *range(98), None])
    splits = Dealt(times, "time").splits
    assert splits[[0, 99]].tolist() == [TRAIN, TRAIN]
    assert counts(splits) == [70, 15, 15]


# By a column


def test_a_column_deals_the_rows():
    column = ["validation", "train", "test", "train"]
    assert Dealt(column, "predefined").splits.tolist() == [VALIDATION, TRAIN, TEST, TRAIN]
    assert Dealt(column, "predefined", has_test_table=True).splits.tolist() == [VALIDATION, TRAIN, TEST, TRAIN]


# Folds


def test_folds_are_of_all_but_test_rows_and_of_every_split():
    dealt = Dealt([""] * 1000, folds=5)
    assert (dealt.folds[dealt.splits == TEST] == UNDECIDED).all()
    assert np.bincount(dealt.folds[dealt.splits != TEST]).tolist() == [170] * 5
    of_validation = np.bincount(dealt.folds[dealt.splits == VALIDATION], minlength=5)
    assert of_validation.min() > 15, "folds don't follow the splits"


@given(st.lists(st.integers(1, 60), min_size=1, max_size=8), st.integers(2, 6), st.integers(0, 100))
def test_folds_are_balanced_in_each_stratum(sizes, num_folds, seed):
    dealt = Dealt(classes(*sizes), "stratified", seed=seed, folds=num_folds)
    for code in range(len(sizes)):
        folds = dealt.folds[(dealt.strata.codes == code) & (dealt.splits != TEST)]
        found = np.bincount(folds, minlength=num_folds)
        assert len(found) == num_folds
        assert found.max() - found.min() <= 1


def test_tiny_strata_leave_no_fold_empty():
    dealt = Dealt(classes(*[2] * 200), "stratified", folds=5)
    found = np.bincount(dealt.folds[dealt.splits != TEST], minlength=5)
    assert found.sum() == 400
    assert found.min() > 40, found


def test_folds_of_groups_are_near_their_share():
    dealt = Dealt(groups_of(*[3] * 400), "group", folds=4)
    found = np.bincount(dealt.folds[dealt.splits != TEST])
    assert abs(found - found.sum() / 4).max() <= 3


def test_folds_by_time_are_in_order():
    times = np.random.default_rng(0).permutation(1000)
    dealt = Dealt(times, "time", folds=4)
    fitted = dealt.splits != TEST
    assert np.bincount(dealt.folds[fitted]).tolist() == [212, 213, 212, 213]
    assert (np.diff(dealt.folds[fitted][np.argsort(times[fitted])]) >= 0).all()


def test_folds_of_a_column_are_balanced():
    dealt = Dealt(some_column("predefined", 300), "predefined", folds=3)
    found = np.bincount(dealt.folds[dealt.splits != TEST])
    assert found.max() - found.min() <= 1


def test_folds_depend_on_the_seed_as_splits_do():
    a, b = (Dealt([""] * 3000, folds=3, seed=seed, test=0.0) for seed in (0, 1))
    assert abs(np.mean(a.folds == b.folds) - 1 / 3) < 0.05


def test_a_plan_is_given_the_folds_that_are_wanted():
    dealt = Dealt([""] * 100, folds=4)

    def refolded(num_folds: int | None) -> SplitPlan:
        return with_folds(dealt.plan, dealt.rows, dealt.keys, dealt.strata, num_folds)

    assert refolded(4) is dealt.plan
    assert (refolded(None).num_folds, refolded(None).folds) == (0, {})
    assert (refolded(7).num_folds, refolded(7).cuts) == (7, dealt.plan.cuts)
    assert with_folds(refolded(None), dealt.rows, dealt.keys, dealt.strata, 4) == dealt.plan


# Foreseeing


@pytest.mark.parametrize("kind", ["random", "stratified"])
@pytest.mark.parametrize(("test", "validation"), [(0.15, 0.15), (0.0, 0.5), (0.4, 0.01), (0.001, 0.998)])
@settings(derandomize=True)  # because once in some millions of tables it doesn't
@given(seed=st.integers(0, 2**31 - 1), n=st.integers(1, 3000), share=st.floats(0.01, 1))
def test_what_is_foreseen_of_a_part_comes_true(kind, test, validation, seed, n, share):
    dealt = Dealt(some_column("random", n), kind, seed=seed, test=test, validation=validation)
    part = np.arange(max(1, int(share * n)))
    keys, strata = dealt.keys[part], dealt.strata.take(part)
    foreseen = foresee(dealt.dealing, keys, strata, dealt.config, has_test_table=False)
    is_sure = foreseen != UNDECIDED
    assert (foreseen[is_sure] == dealt.splits[part][is_sure]).all()


def test_most_rows_of_a_large_part_are_foreseen():
    dealt = Dealt(some_column("random", 100_000), "stratified")
    assert np.mean(dealt.foreseen() == UNDECIDED) < 0.08
    assert set(np.unique(dealt.foreseen())) == {UNDECIDED, TRAIN, VALIDATION, TEST}


def test_with_a_test_table_no_test_row_is_foreseen():
    dealt = Dealt([""] * 10_000, has_test_table=True)
    assert set(np.unique(dealt.foreseen())) == {UNDECIDED, TRAIN, VALIDATION}


@pytest.mark.parametrize("kind", ["group", "time"])
def test_nothing_is_foreseen_of_groups_and_times(kind):
    assert set(Dealt(some_column(kind, 1000), kind).foreseen().tolist()) == {UNDECIDED}


def test_what_a_column_says_is_foreseen():
    dealt = Dealt(some_column("predefined", 100), "predefined")
    assert dealt.foreseen().tolist() == dealt.splits.tolist()
