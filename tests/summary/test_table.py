import random
from datetime import datetime
from functools import reduce
from itertools import pairwise

import numpy as np
import orjson
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distml.hashing import row_hashes
from distml.summary import (
    DISTINCT_SKETCH,
    MAX_CATEGORIES,
    ColumnSummary,
    TableSummary,
    as_numbers,
    decile_edges,
    histogram,
    sample_size_for,
)

KINDS = {"x": "numeric", "c": "categorical", "t": "datetime"}
TYPES = pa.schema([("x", pa.float64()), ("c", pa.string()), ("t", pa.timestamp("us"))])
EDGES = {"x": np.array([-5.0, 0.0, 2.5, 5.0])}
ROWS = st.lists(
    st.tuples(
        st.one_of(st.none(), st.integers(-1000, 1000).map(lambda i: i / 8), st.floats(-1e3, 1e3)),
        st.one_of(st.none(), st.sampled_from("abcdefgh")),
        st.one_of(st.none(), st.datetimes(datetime(1960, 1, 1), datetime(2040, 1, 1))),
    ),
    max_size=40,
)


def table_of(rows: list[tuple]) -> pa.Table:
    columns = list(zip(*rows, strict=True)) or [(), (), ()]
    return pa.table([pa.array(column, kind) for column, kind in zip(columns, TYPES.types, strict=True)], TYPES)


def summary_of(table: pa.Table, sample_size: int = 5) -> TableSummary:
    summary = TableSummary(KINDS, sample_size=sample_size, edges=EDGES)
    summary.update(table, row_hashes(table))
    return summary


def of_column(kind: str, values: pa.Array | list, **known) -> ColumnSummary:
    summary = ColumnSummary(kind, **known)
    summary.update(values if isinstance(values, pa.Array) else pa.array(values))
    return summary


def assert_same(a: TableSummary, b: TableSummary) -> None:
    assert list(a.columns) == list(b.columns)
    for name, column in a.columns.items():
        other = b.columns[name]
        assert (column.count, column.nulls, column.min, column.max, column.categories, column.distinct) == (
            other.count, other.nulls, other.min, other.max, other.categories, other.distinct,
        )  # fmt: skip
        assert column.smallest.tolist() == other.smallest.tolist()
        if column.bins is not None:
            assert column.bins.tolist() == other.bins.tolist()
        largest = max(abs(column.min or 0), abs(column.max or 0))
        assert column.mean == pytest.approx(other.mean, rel=1e-12, abs=1e-12 * largest)
        assert column.m2 == pytest.approx(other.m2, rel=1e-12, abs=1e-12 * largest**2 * column.count)
    assert a.sample_hashes.tolist() == b.sample_hashes.tolist()
    assert (a.sample is None) == (b.sample is None)
    if a.sample is not None:
        assert a.sample.equals(b.sample)


@given(ROWS, st.lists(st.integers(0, 40), max_size=5), st.randoms(use_true_random=False))
def test_any_partitioning_and_order_gives_the_same_summary(rows, cuts, shuffle: random.Random):
    wanted = summary_of(table_of(rows))
    shuffle.shuffle(rows)
    bounds = [0, *sorted(min(cut, len(rows)) for cut in cuts), len(rows)]
    parts = [summary_of(table_of(rows[i:j])) for i, j in pairwise(bounds)]
    shuffle.shuffle(parts)
    assert_same(reduce(lambda a, b: a.merge(b), parts), wanted)
    blockwise = TableSummary(KINDS, sample_size=5, edges=EDGES)
    for i, j in pairwise(bounds):
        block = table_of(rows[i:j])
        blockwise.update(block, row_hashes(block))
    assert_same(blockwise, wanted)


@given(ROWS, ROWS)
def test_merging_changes_neither(first, second):
    a, b = summary_of(table_of(first)), summary_of(table_of(second))
    a.merge(b)
    assert_same(a, summary_of(table_of(first)))
    assert_same(b, summary_of(table_of(second)))


@given(ROWS)
def test_an_empty_summary_is_neutral(rows):
    summary = summary_of(table_of(rows))
    assert_same(summary.merge(summary.fresh()), summary)
    assert_same(summary.fresh().merge(summary), summary)


def test_a_large_table_is_summarised_alike_in_parts():
    rng = np.random.default_rng(0)
    n = 20_000
    table = pa.table(
        [
            pa.array(rng.normal(1e6, 1, n), mask=rng.random(n) < 0.1),
            pa.array(rng.integers(0, 3000, n).astype(str).tolist()),
            pa.array(rng.integers(0, 2**50, n), pa.timestamp("us")),
        ],
        TYPES,
    )
    wanted = summary_of(table, 500)
    order = rng.permutation(n)
    parts = [summary_of(table.take(piece), 500) for piece in np.array_split(order, 17)]
    assert_same(reduce(lambda a, b: a.merge(b), parts), wanted)
    assert_same(reduce(lambda a, b: b.merge(a), parts), wanted)


@pytest.mark.parametrize(
    ("kind", "values", "wanted"),
    [
        ("numeric", [1.0, 2.0, 3.0, None], (4, 1, 2.0, 2 / 3, 1.0, 3.0, 3)),
        ("numeric", [5.0], (1, 0, 5.0, 0.0, 5.0, 5.0, 1)),
        ("numeric", pa.array([None, None], pa.float64()), (2, 2, 0.0, 0.0, None, None, 0)),
        ("numeric", pa.array([], pa.float64()), (0, 0, 0.0, 0.0, None, None, 0)),
        ("numeric", [0.1] * 3, (3, 0, 0.1, 0.0, 0.1, 0.1, 1)),
        ("datetime", [datetime(1970, 1, 1), datetime(1970, 1, 1, 0, 0, 2)], (2, 0, 1.0, 1.0, 0.0, 2.0, 2)),
    ],
)
def test_moments_and_extremes(kind, values, wanted):
    column = of_column(kind, values)
    found = (column.count, column.nulls, column.mean, column.variance, column.min, column.max, column.distinct)
    assert found == pytest.approx(wanted)
    assert column.variance == 0 or wanted[3] > 0
    assert column.present == wanted[0] - wanted[1]


@pytest.mark.parametrize("kind", ["categorical", "boolean"])
def test_categories_are_counted_exactly(kind):
    column = of_column(kind, ["b", "a", "b", None])
    assert column.categories == {"a": 1, "b": 2}
    assert (column.count, column.nulls, column.distinct, column.min) == (4, 1, 2, None)


def test_too_many_categories_are_not_kept_in_any_order():
    words = pa.array([f"w{i}" for i in range(MAX_CATEGORIES + 1)])
    all_words, most, last = of_column("categorical", words), of_column("categorical", words[:-1]), words[-1:]
    assert len(most.categories) == MAX_CATEGORIES
    assert all_words.categories is None
    assert abs(all_words.distinct / len(words) - 1) < 0.15  # five standard errors
    few = of_column("categorical", last)
    for merged in (most.merge(few), few.merge(most), all_words.merge(few), few.merge(all_words)):
        assert merged.categories is None
    all_words.update(last)
    assert all_words.categories is None
    assert all_words.count == MAX_CATEGORIES + 2


@pytest.mark.parametrize("num_distinct", [0, 1, DISTINCT_SKETCH - 1])
def test_distinct_is_exact_below_the_sketch(num_distinct):
    values = pa.array([i % num_distinct for i in range(5000)] if num_distinct else [], pa.float64())
    assert of_column("numeric", values).distinct == num_distinct


@pytest.mark.parametrize("num_distinct", [DISTINCT_SKETCH, 20_000, 300_000])
def test_distinct_is_estimated_above_it(num_distinct):
    values = np.random.default_rng(0).permutation(np.tile(np.arange(num_distinct), 2))
    assert abs(of_column("numeric", pa.array(values, pa.float64())).distinct / num_distinct - 1) < 0.15


def test_distinct_sees_through_many_repeats():
    values = np.r_[np.zeros(100_000), np.arange(500)]
    assert of_column("numeric", pa.array(values)).distinct == 500


def test_the_sample_holds_each_row_once_and_is_independent_of_order():
    table = table_of([(float(i % 50), "a", None) for i in range(200)])
    summary = summary_of(table, 1000)
    assert sorted(summary.sample.column("x").to_pylist()) == list(range(50))
    assert summary.sample_hashes.tolist() == sorted(summary.sample_hashes.tolist())
    few = summary_of(table, 20)
    assert few.sample_hashes.tolist() == summary.sample_hashes[:20].tolist()
    assert few.sample.equals(summary.sample.slice(0, 20))


def test_the_sample_is_representative():
    n, size = 50_000, 2000
    values = np.random.default_rng(1).normal(size=n)
    summary = summary_of(table_of([(x, None, None) for x in values]), size)
    q = np.array([0.05, 0.25, 0.5, 0.9])
    ranks = np.searchsorted(np.sort(values), summary.quantiles("x", q)) / n
    assert (np.abs(ranks - q) < 4 * np.sqrt(q * (1 - q) / size)).all()


def test_quantiles():
    summary = summary_of(table_of([(float(i), None, None) for i in range(5)] + [(None, "a", None)]), 100)
    assert summary.quantiles("x", [0, 0.25, 0.5, 1]).tolist() == [0, 1, 2, 4]
    assert np.isnan(summary.quantiles("t", [0.5])).all()


def test_no_sample_where_none_is_asked_for():
    summary = TableSummary(KINDS)
    summary.update(table_of([(1.0, "a", None)]))
    assert summary.sample is None
    assert summary.count == 1


def test_a_table_may_hold_more_columns_in_another_order():
    table = table_of([(1.0, "a", None)]).append_column("more", pa.array([1])).select(["more", "t", "c", "x"])
    summary = summary_of(table)
    assert list(summary.columns) == ["x", "c", "t"]
    assert summary.sample.column_names == ["x", "c", "t"]


@pytest.mark.parametrize(
    ("value", "place"), [(-6, 0), (-5, 1), (-0.1, 1), (0, 2), (2.4, 2), (2.5, 3), (5, 3), (5.1, 4), (1e300, 4)]
)
def test_a_value_is_counted_in_its_bin(value, place):
    wanted = [0] * 5
    wanted[place] = 1
    assert histogram(np.array([float(value)]), EDGES["x"]).tolist() == wanted
    assert of_column("numeric", [float(value), None], edges=EDGES["x"]).bins.tolist() == wanted


def test_an_empty_histogram_is_of_zeros():
    assert histogram(np.array([]), EDGES["x"]).tolist() == [0] * 5
    assert TableSummary(KINDS, edges=EDGES).columns["x"].bins.tolist() == [0] * 5


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=50))
def test_every_value_falls_into_one_bin(values):
    counts = histogram(np.array(values, float), EDGES["x"])
    below, above = sum(v < -5 for v in values), sum(v > 5 for v in values)
    assert (counts[0], counts[-1], counts.sum()) == (below, above, len(values))


@pytest.mark.parametrize(
    ("quantiles", "edges"),
    [
        ([0, 1, 2], [0, 1, 2]),
        ([0, 0, 1, 1], [0, 1]),
        ([3, 3], [3, np.nextafter(3, 4)]),
        ([np.nan, np.nan], None),
        ([np.nan, 1, 2], [1, 2]),
        ([-np.inf, 0, 1], [0, 1]),
        ([], None),
    ],
)
def test_decile_edges(quantiles, edges):
    found = decile_edges(np.array(quantiles, float))
    assert (found if found is None else found.tolist()) == edges


@pytest.mark.filterwarnings("error")
def test_squares_beyond_float64_are_infinite_and_stay_so():
    huge, plain = of_column("numeric", [1e300, -1e300, 3.0]), of_column("numeric", [1.0, 2.0])
    together = of_column("numeric", [1e300, -1e300, 3.0, 1.0, 2.0])
    assert huge.variance == huge.merge(plain).variance == together.variance == np.inf
    assert together.without(plain).variance == np.inf
    assert (together.min, together.max) == (-1e300, 1e300)


@given(ROWS)
def test_round_trips_through_json_but_for_sketch_and_sample(rows):
    summary = summary_of(table_of(rows))
    written = orjson.dumps(summary.to_dict())
    copy = TableSummary.from_dict(orjson.loads(written))
    assert orjson.dumps(copy.to_dict()) == written
    for name, column in summary.columns.items():
        other = copy.columns[name]
        for field in ("kind", "count", "nulls", "mean", "m2", "min", "max", "categories"):
            assert getattr(column, field) == getattr(other, field)
        assert (column.bins is None) == (other.bins is None)
        if column.bins is not None:
            assert column.bins.tolist() == other.bins.tolist()
            assert column.edges.tolist() == other.edges.tolist()
    assert copy.count == summary.count


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        (pa.array([1, None]), [1.0, np.nan]),
        (pa.array([1.5], pa.float32()), [1.5]),
        (pa.array([datetime(1970, 1, 1, 0, 0, 1, 500_000), None]), [1.5, np.nan]),
        (pa.array([1500], pa.timestamp("ms")), [1.5]),
        (pa.array([], pa.float64()), []),
    ],
)
def test_as_numbers(values, wanted):
    np.testing.assert_array_equal(as_numbers(values), wanted)


@pytest.mark.parametrize(("columns", "rows"), [(0, 20_000), (200, 20_000), (400, 10_000), (10**6, 1000)])
def test_sample_size_for(columns, rows):
    assert sample_size_for(columns) == rows
