"""Who is predicted with whom, and what one request's rows do to those of others: nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from distml.postprocess import Prediction
from distml.serve.predicting.batcher import Batcher, predict_each


class Model:
    """Doubles numbers. Texts are unusual, None is a fault; keeps the rows of each call."""

    def __init__(self) -> None:
        self.calls: list[list[Any]] = []

    def __call__(self, records: Sequence[Any]) -> Prediction | None:
        self.calls.append(list(records))
        if None in records:
            raise ZeroDivisionError("None")
        if any(isinstance(record, str) for record in records):
            return None
        return Prediction(values=2.0 * np.array(records, float), probabilities=None, labels=None)


@pytest.fixture
def model() -> Model:
    return Model()


def together(batcher: Batcher, *requests: list[Any], **deadline: float) -> list[Any]:
    """What comes of requests that wait at one moment: values, None or an error."""

    async def all_of_them() -> list[Any]:
        return await asyncio.gather(*(batcher.predict(rows, **deadline) for rows in requests), return_exceptions=True)

    return [came.values.tolist() if isinstance(came, Prediction) else came for came in asyncio.run(all_of_them())]


def test_what_waits_is_predicted_in_one_call(model):
    assert together(Batcher(model, max_rows=8), [1, 2], [3], [4, 5]) == [[2, 4], [6], [8, 10]]
    assert model.calls == [[1, 2, 3, 4, 5]]


def test_a_lone_request_waits_for_one_turn_of_the_loop_and_for_no_timer(model):
    async def alone() -> int:
        answer = asyncio.ensure_future(Batcher(model, max_rows=8).predict([1]))
        turns = 0
        while not model.calls:
            await asyncio.sleep(0)
            turns += 1
        await answer
        return turns

    assert asyncio.run(alone()) == 2  # one in which it asks, one in which it is predicted


def test_a_call_has_only_so_many_rows_and_keeps_the_order(model):
    answers = together(Batcher(model, max_rows=3), [1, 2], [3, 4], [5], [6, 7, 8], [9])
    assert answers == [[2, 4], [6, 8], [10], [12, 14, 16], [18]]
    assert model.calls == [[1, 2], [3, 4, 5], [6, 7, 8], [9]]


def test_a_request_of_more_rows_than_a_call_has_goes_alone(model):
    assert together(Batcher(model, max_rows=2), [1], [2, 3, 4], [5]) == [[2], [4, 6, 8], [10]]
    assert model.calls == [[1], [2, 3, 4], [5]]


def test_what_comes_while_a_call_is_under_way_is_in_the_next(model):
    async def late() -> None:
        batcher = Batcher(model, max_rows=8)
        first = asyncio.ensure_future(batcher.predict([1]))
        await first
        await asyncio.gather(batcher.predict([2]), batcher.predict([3]))

    asyncio.run(late())
    assert model.calls == [[1], [2, 3]]


def test_an_unusual_row_concerns_its_own_request_alone(model):
    assert together(Batcher(model, max_rows=16), [1], [2], ["x", 3], [4]) == [[2], [4], None, [8]]
    assert model.calls == [[1, 2, "x", 3, 4], [1, 2], ["x", 3, 4], ["x", 3], [4]]


def test_a_fault_is_told_to_whom_it_belongs(model):
    answers = together(Batcher(model, max_rows=16), [1], [None], [2], ["x"])
    assert [type(came) for came in answers] == [list, ZeroDivisionError, list, type(None)]
    assert (answers[0], answers[2]) == ([2], [4])


def test_rows_of_a_cancelled_request_are_left_out(model):
    async def one_leaves() -> list[float]:
        batcher = Batcher(model, max_rows=8)
        stays, leaves = (asyncio.ensure_future(batcher.predict([row])) for row in (1, 2))
        await asyncio.sleep(0)  # both wait
        leaves.cancel()
        return (await stays).values.tolist()

    assert asyncio.run(one_leaves()) == [2]
    assert model.calls == [[1]]


def test_all_cancelled_is_no_call(model):
    async def leaves() -> None:
        waiting = asyncio.ensure_future(Batcher(model, max_rows=8).predict([1]))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    asyncio.run(leaves())
    assert model.calls == []


def test_what_is_too_late_is_never_predicted(model):
    (came,) = together(Batcher(model, max_rows=8), [1], deadline=0.0)  # of the loop's clock, which is past that
    assert isinstance(came, TimeoutError)
    assert model.calls == []


def test_calls_that_answer_are_told_with_their_requests_and_rows(model):
    told: list[tuple[int, int]] = []
    waits: list[float] = []
    batcher = Batcher(model, max_rows=16, told=lambda *counts: told.append(counts), waited=waits.append)
    together(batcher, [1, 2], [3], ["x"])
    assert told == [(1, 2), (1, 1)]  # [[1, 2], [3], ["x"]] halved: the first alone, then the second without the third
    assert len(waits) == 3
    assert min(waits) >= 0


def test_each_is_predicted_as_alone_whatever_the_halves(model):
    requests = [[row] if row % 5 else [str(row)] for row in range(23)]
    came = predict_each(model, requests)
    assert [None if one is None else one.values.tolist() for one in came] == [
        [2.0 * row] if row % 5 else None for row in range(23)
    ]
