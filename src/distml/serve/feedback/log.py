"""`FeedbackLog`: labels are written into the inference log, and only then acknowledged.

One segment is written at a time, in a thread of its own, and whatever arrives meanwhile goes into the next (group
commit): many small requests make few files, and a lone one doesn't wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime

from distml.errors import StorageError
from distml.inference_log import FEEDBACK, Segments, SegmentWriter, feedback_table
from distml.serve.feedback.labels import CheckedLabel
from distml.storage import Storage

MAX_WAITING = 100_000  # labels, some 50 MB


@dataclass(frozen=True, kw_only=True)
class _Waiting:
    """Labels of one request, and who waits for the name of their segment."""

    labels: Sequence[CheckedLabel]
    version: int | None
    received_at: datetime
    written: asyncio.Future[str]


class FeedbackLog:
    """A model's labels on their way into storage. To be used from one event loop.

    replica: who writes. max_waiting: labels that may wait while a segment is written.
    """

    def __init__(self, storage: Storage, name: str, replica: str, *, max_waiting: int = MAX_WAITING) -> None:
        self._replica = replica
        self._writer = SegmentWriter(Segments(storage=storage, name=name, kind=FEEDBACK), replica)
        self._max_waiting = max_waiting
        self._waiting: list[_Waiting] = []
        self._num_waiting = 0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="feedback")
        self._writing: asyncio.Task[None] | None = None
        self._is_closed = False

    async def add(self, labels: Sequence[CheckedLabel], version: int | None = None) -> str:
        """The name of the segment that holds the labels, once it is durable. version: that they were asked of, where
        it is known.

        Raises `StorageError` where they can't be written, where too many wait, and after `close`. None of them is kept
        then, and whoever sent them sends them again. Whoever stops waiting (a cancelled task) can't know.
        """
        self._check_room(len(labels))
        loop = asyncio.get_running_loop()
        some = _Waiting(labels=labels, version=version, received_at=datetime.now(UTC), written=loop.create_future())
        self._waiting.append(some)
        self._num_waiting += len(labels)
        if self._writing is None or self._writing.done():
            self._writing = loop.create_task(self._write_waiting())
        return await some.written

    async def close(self) -> None:
        """Takes no more, and returns when what waits is written."""
        self._is_closed = True
        if self._writing is not None:
            await self._writing
        self._thread.shutdown()

    def _check_room(self, num_labels: int) -> None:
        if self._is_closed:
            raise StorageError("labels are taken until the replica stops", received=f"{num_labels:,} after that")
        if self._num_waiting + num_labels > self._max_waiting:
            raise StorageError(
                f"at most {self._max_waiting:,} labels wait to be written",
                received=f"{num_labels:,} more",
                remedy="send them again later",
            )

    async def _write_waiting(self) -> None:
        """Segments, one after another, until nothing waits."""
        while self._waiting:
            waiting, self._waiting, self._num_waiting = self._waiting, [], 0
            batch = [some for some in waiting if not some.written.done()]  # not for those who have stopped waiting
            if batch:
                await self._write(batch)

    async def _write(self, batch: list[_Waiting]) -> None:
        name, error = "", None
        try:
            name = await asyncio.get_running_loop().run_in_executor(self._thread, self._write_segment, batch)
        except Exception as raised:  # noqa: BLE001 - whatever it is, each of them is told, and the next batch is tried
            error = raised
        for some in batch:
            if some.written.done():
                continue
            if error is None:
                some.written.set_result(name)
            else:
                some.written.set_exception(_unwritten(error))

    def _write_segment(self, batch: list[_Waiting]) -> str:
        told = [(label, some) for some in batch for label in some.labels]
        table = feedback_table(
            request_ids=[label.request_id for label, _ in told],
            rows=[label.row for label, _ in told],
            labels=[label.label for label, _ in told],
            versions=[some.version for _, some in told],
            received_at=[some.received_at for _, some in told],
            replica=self._replica,
        )
        return self._writer.write(table)


def _unwritten(error: Exception) -> StorageError:
    """An error of their own for each who waits, as a traceback grows with whoever raises it."""
    if isinstance(error, StorageError):
        return StorageError(error.rule, received=error.received, where=error.where, remedy=error.remedy)
    return StorageError("labels can be written", received=f"{type(error).__name__}: {error}")
