"""What every `Engine` must do."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
import pytest

from distml.data import Engine
from distml.errors import DataError


def double(item: int) -> int:
    return 2 * item


def refuse_odd(item: int) -> int:
    if item % 2:
        raise DataError("an item is even", received=item, where="items", remedy=f"use {item + 1}")
    return item


class Scale:
    """A function with state, as the passes are."""

    def __init__(self, factor: float) -> None:
        self.factor = factor

    def __call__(self, item: np.ndarray) -> dict[str, np.ndarray]:
        return {"scaled": item * self.factor}


class Tally:
    """A function that is costly to make: it knows which one it is, and how many calls it has had."""

    def __init__(self) -> None:
        self.name = uuid.uuid4().hex
        self.num_calls = 0

    def __call__(self, item: int) -> tuple[int, str, int]:
        self.num_calls += 1
        return 2 * item, self.name, self.num_calls


def refuse_to_build() -> Callable[[int], int]:
    raise DataError("a model can be loaded", where="build")


def blocks_of(item: int) -> Iterator[pa.Table]:
    """As many blocks as the item says, block i of i + 1 rows; none of a negative item, which is an error."""
    if item < 0:
        raise DataError("an item is a count", received=item, where="blocks")
    for i in range(item):
        yield pa.table({"x": np.arange(i + 1)})


def make_doubled(item: int, number: int, block: pa.Table) -> tuple[tuple[int, int], pa.Table]:
    if item == 7 and number == 2:
        raise DataError("the third block is one of another item", received=number, where="make")
    return (item, number), pa.table({"x": np.asarray(block.column("x")) * 2, "item": [item] * block.num_rows})


def total(table: pa.Table, factor: int) -> tuple[int, int]:
    if factor == 99:
        raise DataError("a factor is not 99", received=factor)
    return int(np.asarray(table.column("x")).sum()) * factor, table.num_rows


class EngineContract:
    """A subclass has a fixture `engine`."""

    @pytest.fixture
    def engine(self) -> Engine:
        raise NotImplementedError

    def test_has_a_name(self, engine):
        assert isinstance(engine.name, str)

    @pytest.mark.parametrize("num_items", [1, 2, 40])
    def test_results_come_in_the_items_order(self, engine, num_items):
        assert engine.map(double, list(range(num_items))) == [2 * i for i in range(num_items)]

    def test_no_items_have_no_results(self, engine):
        assert engine.map(double, []) == []

    def test_items_may_be_any_sequence_and_repeat(self, engine):
        assert engine.map(double, (3, 1, 3)) == [6, 2, 6]

    def test_none_is_a_result(self, engine):
        assert engine.map(lambda item: None, [1, 2]) == [None, None]

    def test_functions_and_values_travel_whole(self, engine):
        items = [np.arange(3.0), np.empty(0), np.full((2, 2), np.nan)]
        for item, result in zip(items, engine.map(Scale(0.5), items), strict=True):
            np.testing.assert_array_equal(result["scaled"], item * 0.5)

    def test_large_results_come_back(self, engine):
        for i, result in enumerate(engine.map(lambda item: np.full(1_000_000, item), [0, 1, 2])):
            assert (result == i).all()

    def test_less_than_a_cpu_may_be_reserved(self, engine):
        assert engine.map(double, [1, 2], cpu=0.5) == [2, 4]

    def test_an_error_for_the_user_is_raised_as_it_is(self, engine):
        with pytest.raises(DataError) as caught:
            engine.map(refuse_odd, [2, 3, 4, 5])
        assert type(caught.value) is DataError
        assert caught.value.to_dict() == {
            "type": "DataError", "rule": "an item is even", "received": "3", "where": "items", "remedy": "use 4",
        }  # fmt: skip

    def test_a_mistake_is_raised(self, engine):
        with pytest.raises(Exception, match="modulo by zero"):
            engine.map(lambda item: 1 // item, [1, 0])

    def test_goes_on_after_an_error(self, engine):
        with pytest.raises(DataError):
            engine.map(refuse_odd, [1])
        assert engine.map(double, [1]) == [2]

    # map_with

    @pytest.mark.parametrize("num_items", [1, 2, 40])
    def test_what_a_worker_builds_it_keeps(self, engine, num_items):
        results = list(engine.map_with(Tally, list(range(num_items))))
        assert [doubled for doubled, _, _ in results] == [2 * i for i in range(num_items)]
        calls = Counter(name for _, name, _ in results)
        assert len(calls) <= 2  # the tests' cluster has two CPUs
        for name, num_calls in calls.items():
            assert sorted(n for _, other, n in results if other == name) == list(range(1, num_calls + 1))

    def test_without_items_nothing_is_built(self, engine):
        assert list(engine.map_with(refuse_to_build, [])) == []

    def test_what_is_built_may_be_any_function(self, engine):
        scaled = list(engine.map_with(lambda: Scale(2), [np.arange(3.0), np.empty(0)]))
        np.testing.assert_array_equal(scaled[0]["scaled"], [0, 2, 4])
        assert len(scaled[1]["scaled"]) == 0

    def test_an_error_in_building_is_raised_as_it_is(self, engine):
        with pytest.raises(DataError) as caught:
            list(engine.map_with(refuse_to_build, [1, 2, 3]))
        assert (caught.value.rule, caught.value.where) == ("a model can be loaded", "build")

    def test_results_before_an_error_have_come(self, engine):
        results = engine.map_with(lambda: refuse_odd, [2, 4, 5, 6, 7])
        assert [next(results), next(results)] == [2, 4]
        with pytest.raises(DataError, match="an item is even; received 5"):
            next(results)
        assert list(results) == []

    def test_a_mistake_in_what_is_built_is_raised(self, engine):
        with pytest.raises(Exception, match="modulo by zero"):
            list(engine.map_with(lambda: lambda item: 1 // item, [1, 0]))

    def test_who_has_enough_closes(self, engine):
        results = engine.map_with(Tally, list(range(20)))
        assert next(results)[0] == 0
        results.close()
        assert list(results) == []
        assert engine.map(double, [1]) == [2]

    # shelve

    def test_shelved_tables_are_in_the_order_of_items_and_blocks(self, engine):
        shelf = engine.shelve(blocks_of, make_doubled, [2, 0, 3])
        assert shelf.notes == [(2, 0), (2, 1), (3, 0), (3, 1), (3, 2)]
        assert shelf.map(total, [1, 1, 1, 1, 10]) == [(0, 1), (2, 2), (0, 1), (2, 2), (60, 3)]
        assert shelf.map(total, [1, 1, 1, 1, 1]) == [(0, 1), (2, 2), (0, 1), (2, 2), (6, 3)]
        shelf.close()

    def test_tables_without_an_argument_are_left_on_the_shelf(self, engine):
        shelf = engine.shelve(blocks_of, make_doubled, [3])
        assert shelf.map(total, [None, 5, None]) == [(10, 2)]
        assert shelf.map(total, [None, None, None]) == []
        shelf.close()

    def test_a_shelf_may_be_empty(self, engine):
        for items in ([], [0]):
            shelf = engine.shelve(blocks_of, make_doubled, items)
            assert shelf.notes == []
            assert shelf.map(total, []) == []
            shelf.close()

    def test_many_blocks_are_all_kept(self, engine):
        shelf = engine.shelve(blocks_of, make_doubled, [40, 40, 40])
        sums = shelf.map(total, [1] * 120)
        assert sums == [(i * (i + 1), i + 1) for _ in range(3) for i in range(40)]
        shelf.close()

    @pytest.mark.parametrize(("items", "where"), [([2, -1, 3, -2], "blocks"), ([3, 7, -1], "make")])
    def test_an_error_in_making_tables_is_the_first_items(self, engine, items, where):
        with pytest.raises(DataError) as caught:
            engine.shelve(blocks_of, make_doubled, items)
        assert (caught.value.where, caught.value.received) == (where, "-1" if where == "blocks" else "2")

    def test_an_error_over_a_shelved_table_is_raised_as_it_is(self, engine):
        shelf = engine.shelve(blocks_of, make_doubled, [3])
        with pytest.raises(DataError, match="a factor is not 99"):
            shelf.map(total, [1, 99, 1])
        assert shelf.map(total, [1, 1, 1]) == [(0, 1), (2, 2), (6, 3)]
        shelf.close()
