"""`Shadowing`: a version that only listens is asked what another has answered, later and beside the traffic.

Whatever comes of it is counted and goes nowhere else.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from distml.postprocess import Prediction
from distml.predictor import Predictor
from distml.serve.counting.seen import Seen
from distml.serve.predicting.batcher import predict_each
from distml.serve.predicting.tables import predict_table
from distml.serve.predicting.worker import Busy, Worker
from distml.serve.versions.answering import FAILED
from distml.serve.versions.live import Live
from distml.serve.wire import Problem, Rows

MAX_WAITING = 64  # requests


@dataclass(frozen=True, kw_only=True)
class _Waiting:
    """The rows of a request that was answered with `prediction`, and the shadow that is still to be asked."""

    live: Live
    rows: Rows
    prediction: Prediction


class Shadowing:
    """What shadows are still to be asked, one batch at a time on the worker. For one event loop."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._waiting: list[_Waiting] = []
        self._under_way: asyncio.Task[None] | None = None

    def ask(self, live: Live, rows: Rows, prediction: Prediction) -> None:
        """Has a shadow predict rows that were answered with `prediction`; skipped and counted where too many wait."""
        if len(self._waiting) >= MAX_WAITING:
            live.seen.skipped(1)
            return
        self._waiting.append(_Waiting(live=live, rows=rows, prediction=prediction))
        if self._under_way is None or self._under_way.done():
            self._under_way = asyncio.get_running_loop().create_task(self._work())

    async def settled(self) -> None:
        """Returns when nothing waits."""
        if self._under_way is not None:
            await self._under_way

    async def _work(self) -> None:
        while self._waiting:
            live = self._waiting[0].live
            answered = [one for one in self._waiting if one.live is live]
            self._waiting = [one for one in self._waiting if one.live is not live]
            await self._ask(live, answered)

    async def _ask(self, live: Live, answered: list[_Waiting]) -> None:
        started = time.perf_counter()
        rows = [one.rows for one in answered]
        try:
            came = await self._worker.run(lambda: _predicted(live.predictor, rows))
        except Busy:  # with tables of those who wait for their answer
            live.seen.skipped(len(answered))
            return
        milliseconds = (time.perf_counter() - started) * 1000
        for one, prediction in zip(answered, came, strict=True):
            _count(live.seen, one.prediction, prediction, milliseconds)


def _predicted(predictor: Predictor, requests: Sequence[Rows]) -> list[Prediction | Exception]:
    """What comes of each request: of few rows in one call, where that does."""
    few = [rows for rows in requests if rows.records is not None]
    came = predict_each(predictor.predict_few, [rows.records or [] for rows in few]) if few else []
    by_rows = {id(rows): one for rows, one in zip(few, came, strict=True) if one is not None}
    return [by_rows.get(id(rows)) or _alone(predictor, rows) for rows in requests]


def _alone(predictor: Predictor, rows: Rows) -> Prediction | Exception:
    try:
        return predict_table(predictor, rows)[1]
    except Exception as error:  # noqa: BLE001 - a shadow's faults are counted, whatever they are
        return error


def _count(seen: Seen, answer: Prediction, prediction: Prediction | Exception, milliseconds: float) -> None:
    if isinstance(prediction, Problem):  # the shadow's schema may want other columns
        seen.request(milliseconds, prediction.kind)
    elif isinstance(prediction, Exception):
        seen.request(milliseconds, FAILED, is_fault=True)
    else:
        seen.request(milliseconds)
        seen.compared(answer, prediction)
