"""`Batcher`: requests that wait at one moment are predicted in one call, and a lone one waits for nobody.

There is no timer. The first request to come asks the event loop for its next turn; whoever came in the same one is
predicted with it, and whoever comes while a call is under way is in the next.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from distml.postprocess import Prediction

Records = Sequence[Any]
Predict = Callable[[Records], Prediction | None]
"""The predictions of JSON rows, one each; None where one of them has to go the way of tables."""
Told = Callable[[int, int], None]
"""Is called with the requests and the rows of each call that answered."""


def _untold(*counts: float) -> None:
    """Where nobody wants to know."""


@dataclass(eq=False, kw_only=True)
class _Waiting:
    records: Records
    since: float
    deadline: float
    answer: asyncio.Future[Prediction | None]


class Batcher:
    """Few rows of many requests, for one version. It lives on one event loop.

    predict: is called with the rows of all that wait, up to `max_rows` of them in one call. told: is called with the
    requests and the rows of each call that answered; waited: with the milliseconds that each request waited for it.
    """

    def __init__(
        self, predict: Predict, *, max_rows: int, told: Told = _untold, waited: Callable[[float], None] = _untold
    ) -> None:
        self._predict = predict
        self._max_rows = max_rows
        self._told = told
        self._waited = waited
        self._waiting: deque[_Waiting] = deque()
        self._is_scheduled = False

    async def predict(self, records: Records, deadline: float = float("inf")) -> Prediction | None:
        """Predictions for the rows of one request; None where one of its rows has to go the way of tables.

        deadline: by the event loop's clock; raises `TimeoutError` when a call would begin after it. Raises what
        `predict` raises for these rows alone, whomever they were batched with. Rows of a request that was cancelled
        are left out.
        """
        loop = asyncio.get_running_loop()
        waiting = _Waiting(records=records, since=loop.time(), deadline=deadline, answer=loop.create_future())
        self._waiting.append(waiting)
        self._schedule(loop)
        return await waiting.answer

    def _schedule(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self._is_scheduled:
            self._is_scheduled = True
            loop.call_soon(self._flush, loop)

    def _flush(self, loop: asyncio.AbstractEventLoop) -> None:
        self._is_scheduled = False
        batch = self._take(loop.time())
        if self._waiting:
            self._schedule(loop)
        if batch:
            self._answer(batch)

    def _take(self, now: float) -> list[_Waiting]:
        """Who waits, in their order, as far as their rows fit; without those who are gone or too late."""
        batch: list[_Waiting] = []
        num_rows = 0
        while self._waiting:
            first = self._waiting[0]
            if batch and num_rows + len(first.records) > self._max_rows:
                break
            self._waiting.popleft()
            if first.answer.done():
                continue
            if first.deadline < now:
                first.answer.set_exception(TimeoutError())
                continue
            self._waited((now - first.since) * 1000)
            batch.append(first)
            num_rows += len(first.records)
        return batch

    def _answer(self, batch: list[_Waiting]) -> None:
        came = predict_each(self._predict, [one.records for one in batch], self._told)
        for one, prediction in zip(batch, came, strict=True):
            if isinstance(prediction, Exception):
                one.answer.set_exception(prediction)
            else:
                one.answer.set_result(prediction)


def predict_each(
    predict: Predict, requests: Sequence[Records], told: Told = _untold
) -> list[Prediction | Exception | None]:
    """What comes of each request's rows, predicted in one call where that does.

    Where it doesn't, each half is tried by itself: what is unusual about one, or fails, spoils no other.
    """
    records = requests[0] if len(requests) == 1 else [record for rows in requests for record in rows]
    try:
        prediction = predict(records)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told to who asked alone
        if len(requests) == 1:
            return [error]
        prediction = None
    if prediction is not None:
        told(len(requests), len(records))
        return _dealt(prediction, requests)
    if len(requests) == 1:
        return [None]
    middle = len(requests) // 2
    return [*predict_each(predict, requests[:middle], told), *predict_each(predict, requests[middle:], told)]


def _dealt(prediction: Prediction, requests: Sequence[Records]) -> list[Prediction | Exception | None]:
    """To each request the predictions of its rows."""
    if len(requests) == 1:
        return [prediction]
    stops = list(itertools.accumulate(map(len, requests)))
    return [prediction.slice(start, stop) for start, stop in zip([0, *stops], stops, strict=False)]
