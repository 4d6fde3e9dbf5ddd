"""What every `Engine` must do."""

from __future__ import annotations

import numpy as np
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
