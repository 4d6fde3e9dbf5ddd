"""The order that rows are dealt in: keys from a row's own content."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distml.data.dealing import LAST, Dealing, Strata
from distml.hashing import mix

ROWS = mix(np.arange(8, dtype=np.uint64))


def keys(column: list, kind: str, **settings) -> np.ndarray:
    column = column if isinstance(column, pa.Array) else pa.array(column)
    return Dealing(kind=kind, column="c", **settings).keys(pa.table({"c": column}), ROWS[: len(column)])


def order(values: list) -> list[int]:
    """Positions of values by time, as a split by time puts them: the latest first."""
    return np.argsort(keys(values, "time"), kind="stable").tolist()


@pytest.mark.parametrize("kind", ["random", "stratified"])
def test_keys_are_spread_over_all_numbers(kind):
    rows = mix(np.arange(20_000, dtype=np.uint64))
    found = Dealing(kind=kind, column="c").keys(pa.table({"c": ["a"] * len(rows)}), rows)
    counts = np.histogram(found.astype(float), bins=20, range=(0, 2.0**64))[0]
    assert (abs(counts - 1000) < 6 * np.sqrt(950)).all()


def test_the_key_is_of_the_row_and_the_seed_alone():
    table = pa.table({"c": ["a", "b", "a"]})
    found = Dealing(kind="random", seed=3).keys(table, ROWS[:3])
    alone = [Dealing(kind="random", seed=3).keys(table.slice(i, 1), ROWS[i : i + 1])[0] for i in range(3)]
    assert found.tolist() == alone
    assert not np.isin(found, Dealing(kind="random", seed=4).keys(table, ROWS[:3])).any()


def test_a_group_has_one_key_and_rows_without_one_have_their_own():
    found = keys(["a", None, "b", "a", None], "group")
    assert found[0] == found[3]
    assert len(set(found.tolist())) == 4


def test_a_groups_key_does_not_depend_on_how_it_is_stored():
    plain, coded = pa.array(["a", "b", None, "a"]), pa.array(["a", "b", None, "a"]).dictionary_encode()
    assert keys(plain, "group").tolist() == keys(coded, "group").tolist()
    assert keys([1, 2, None], "group").tolist() == keys([1.0, 2.0, None], "group").tolist()


def test_the_latest_come_first_and_rows_without_a_time_last():
    start = datetime(1969, 12, 31)
    times = [start + timedelta(hours=hours) for hours in (5, 30, 0)]
    assert order([*times, None]) == [1, 0, 2, 3]
    assert keys([*times, None], "time")[3] == LAST


def test_equal_instants_are_equal_whatever_their_unit():
    a, b = datetime(2020, 1, 1), datetime(1880, 5, 17, 3, 4, 5)
    for unit in ("s", "ms", "us", "ns"):
        assert keys(pa.array([a, b], pa.timestamp(unit)), "time").tolist() == keys([a, b], "time").tolist()


@pytest.mark.parametrize(
    "numbers",
    [
        [2019, 2020, 2021],
        [-3.5, -2.5, -0.25, 0.25, 7.0],
        [-(2.0**60), -1.0, 0.0, 1e-300, 2.0**60, 1e300],
        [1_600_000_000_000_000_000, 1_700_000_000_000_000_000],  # nanoseconds since 1970
        [0.1, 0.1 + 1e-9],
    ],
)
def test_numbers_may_be_times(numbers):
    assert order(numbers) == list(range(len(numbers)))[::-1]


def test_no_time_is_minus_nothing():
    found = keys([-0.0, 0.0], "time")
    assert found[0] == found[1]


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=8))
def test_keys_go_down_as_numbers_go_up(numbers):
    found = keys(pa.array(numbers, pa.float64()), "time").astype(object)
    for a, b, key_a, key_b in zip(numbers, numbers[1:], found, found[1:], strict=False):
        assert (a < b) == (key_b < key_a)
        assert (a == b) == (key_a == key_b)


VALUES = {"train": "train", "0": "train", "dev": "validation", "1": "validation", "true": "test", "2.5": "test"}


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        (["train", "dev", "0"], [2, 1, 2]),
        ([0.0, 1.0, 2.5], [2, 1, 0]),
        (["true"], [0]),
        (pa.array(["dev", "train", "dev"]).dictionary_encode(), [1, 2, 1]),
    ],
)
def test_a_column_says_where_rows_belong(values, wanted):
    assert keys(values, "predefined", values=VALUES).tolist() == wanted


def test_rows_that_the_column_says_nothing_of_may_have_a_split():
    assert keys([None, "dev", None], "predefined", values=VALUES, missing="test").tolist() == [0, 1, 0]
    assert found_in([None, "x"], "predefined", missing="test") == [("c", 1, "fail", ((11, "'x'"),))]


def found_in(values: list, kind: str, private: bool = False, **settings) -> list[tuple]:
    dealing = Dealing(kind=kind, column="c", values=VALUES if kind == "predefined" else {}, **settings)
    found = dealing.findings(pa.table({"c": values}), np.arange(10, 10 + len(values)), private=private)
    return [(f.column, f.count, f.action, f.examples) for f in found]


def test_rows_without_a_group_or_a_time_are_told():
    missing = ((10, "(missing)"), (12, "(missing)"))
    assert found_in([None, "a", None], "group") == [("c", 2, "warn", missing)]
    assert found_in([None, 3.0, None], "time") == [("c", 2, "warn", missing)]
    assert found_in(["a"], "group") == found_in(["a"], "stratified") == found_in(["a"], "random") == []


def test_rows_that_a_column_does_not_deal_are_told():
    values = ["dev", "tset", None, "train", "tset"]
    assert found_in(values, "predefined") == [
        ("c", 3, "fail", ((11, "'tset'"), (12, "(missing)"), (14, "'tset'"))),
    ]
    assert found_in(values, "predefined", private=True)[0][3][0] == (11, "(private)")
    assert found_in([None] * 9, "predefined")[0][3] == tuple((row, "(missing)") for row in range(10, 15))


# Strata


def test_strata_are_of_a_stratified_split_alone():
    table = pa.table({"c": ["b", "a", "b"]})
    found = Dealing(kind="stratified", column="c").strata(table)
    assert [found.labels[code] for code in found.codes] == ["b", "a", "b"]
    assert Dealing(kind="group", column="c").strata(table).labels == ("",)
    assert Dealing(kind="group", column="c").strata(table).codes.tolist() == [0, 0, 0]


def test_strata_of_several_tables_have_one_order():
    dealing = Dealing(kind="stratified", column="c")
    parts = [dealing.strata(pa.table({"c": pa.array(values, pa.string())})) for values in (["b", "a"], ["c", "b"], [])]
    both = Strata.concat(parts)
    assert both.labels == ("a", "b", "c")
    assert both.codes.tolist() == [1, 0, 2, 1]
    assert both.take(np.array([2, 0])).codes.tolist() == [2, 1]
    assert Strata.concat([]).codes.tolist() == []


@pytest.mark.parametrize("num_labels", [0, 1, 3, 70_000])
def test_members_of_strata_are_found(num_labels):
    codes = np.random.default_rng(0).integers(0, max(num_labels - 1, 1), 500 if num_labels else 0).astype(np.int32)
    found = dict(Strata(codes=codes, labels=tuple(map(str, range(num_labels)))).members())
    assert set(found) == {str(code) for code in codes}
    for label, positions in found.items():
        assert positions.tolist() == np.flatnonzero(codes == int(label)).tolist()


def test_a_stratum_may_be_coded_already():
    coded = pa.chunked_array([pa.array(["b", "a"]).dictionary_encode(), pa.array(["a", "c"]).dictionary_encode()])
    found = Dealing(kind="stratified", column="c").strata(pa.table({"c": coded}))
    assert [found.labels[code] for code in found.codes] == ["b", "a", "a", "c"]
