"""The thread for what takes long: one thing at a time, so many may wait, and nothing begins that nobody waits for."""

from __future__ import annotations

import asyncio
import threading

import pytest

from distml.serve.predicting.worker import Busy, Worker


@pytest.fixture
def worker():
    worker = Worker(max_waiting=3)
    yield worker
    worker.close()


def test_work_is_done_one_after_another_beside_the_loop(worker):
    async def three() -> list[tuple[int, bool]]:
        names = [worker.run(lambda n=n: (n, threading.current_thread() is threading.main_thread())) for n in range(3)]
        return await asyncio.gather(*names)

    assert asyncio.run(three()) == [(0, False), (1, False), (2, False)]


def test_what_work_raises_is_raised(worker):
    with pytest.raises(ZeroDivisionError):
        asyncio.run(worker.run(lambda: 1 / 0))


def test_more_than_may_wait_is_refused_at_once(worker):
    async def four() -> list[object]:
        gate = threading.Event()
        waiting = [asyncio.ensure_future(worker.run(gate.wait)) for _ in range(3)]
        await asyncio.sleep(0)
        assert worker.num_waiting == 3
        with pytest.raises(Busy):
            await worker.run(gate.wait)
        gate.set()
        await asyncio.gather(*waiting)
        while worker.num_waiting:
            await asyncio.sleep(0.001)
        return [await worker.run(lambda: "again")]

    assert asyncio.run(four()) == ["again"]


def test_nothing_begins_after_its_deadline_or_when_its_caller_is_gone(worker):
    begun = []

    async def late() -> None:
        gate = threading.Event()
        first = asyncio.ensure_future(worker.run(gate.wait))
        await asyncio.sleep(0)  # it is under way
        now = asyncio.get_running_loop().time()
        with pytest.raises(TimeoutError):
            await worker.run(lambda: begun.append("late"), deadline=now + 0.01)
        gone = asyncio.ensure_future(worker.run(lambda: begun.append("gone")))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.sleep(0)
        gate.set()
        await first
        await worker.run(lambda: begun.append("last"))

    asyncio.run(late())
    assert begun == ["last"]
