"""`Answering`: from a request's rows to predictions, by the version that they were assigned to or, where that fails,
by another."""

from __future__ import annotations

import logging
import time

from distml.errors import CodeError
from distml.postprocess import Prediction
from distml.serve.predicting.tables import predict_table
from distml.serve.predicting.worker import Busy, Worker
from distml.serve.versions.live import Live, Serving
from distml.serve.wire import Problem, Rows

FEW = 64  # rows of one request that are predicted with those of others, between two turns of the event loop
FAILED = "version-failed"


class Answering:
    """For one event loop. Few rows are predicted on it with whatever waits there, tables on the worker."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._logged: set[tuple[int, str]] = set()

    async def predict(self, serving: Serving, live: Live, rows: Rows, deadline: float) -> tuple[Live, Prediction]:
        """Who answered, and with what. deadline: by the event loop's clock.

        Raises `Problem` 422 for rows that the version can't take, and 500 where it fails on them and nobody else
        answers; `TimeoutError` at the deadline; `Busy` for a table where too many wait.
        """
        started = time.perf_counter()
        try:
            return live, await self._by(live, rows, deadline)
        except (Problem, TimeoutError, Busy):
            raise
        except Exception as error:  # noqa: BLE001 - a version may fail in any way
            failed = error
        other = serving.instead_of(live)
        self._note(live, failed)
        if other is None:
            raise _problem(failed)
        live.seen.request((time.perf_counter() - started) * 1000, FAILED, is_fault=True)
        try:
            return other, await self._by(other, rows, deadline)
        except (TimeoutError, Busy):
            raise
        except Exception as error:  # noqa: BLE001 - the rows were read for the version that failed first
            self._note(other, error)
            raise _problem(failed) from None

    async def _by(self, live: Live, rows: Rows, deadline: float) -> Prediction:
        if rows.records is not None and len(rows.records) <= FEW:
            few = await live.batcher.predict(rows.records, deadline)
            if few is not None:
                live.seen.answered(rows.records, few)
                return few
        cleaned, prediction = await self._worker.run(lambda: predict_table(live.predictor, rows), deadline)
        live.seen.answered_table(cleaned, prediction)
        return prediction

    def _note(self, live: Live, error: Exception) -> None:
        """The first fault of its kind, with its traceback: whoever runs the service is told more than who asks it."""
        kind = (live.number, type(error).__name__)
        if kind not in self._logged:
            self._logged.add(kind)
            logging.getLogger(__name__).error("version %d failed on a request", live.number, exc_info=error)


class Fault(Problem):
    """A version failed, not the client."""


def _problem(error: Exception) -> Fault:
    if isinstance(error, CodeError):
        return Fault(500, "feature-failed", f"{error.rule}; in {error.where}", rule=error.rule)
    return Fault(500, FAILED, "the model failed on these rows")
