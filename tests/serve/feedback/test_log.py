import asyncio
import threading

import pytest

from distml.errors import StorageError
from distml.inference_log import Segments, read_feedback
from distml.serve.feedback.labels import CheckedLabel
from distml.serve.feedback.log import FeedbackLog
from distml.storage import Storage


def labels(request_id, *values):
    return [CheckedLabel(request_id=request_id, row=row, label=value) for row, value in enumerate(values)]


def kept(storage):
    return {(row["request_id"], row["row"]): row["label"] for row in read_feedback(storage, "shop").to_pylist()}


def segments(storage):
    return list(Segments(storage=storage, name="shop", kind="feedback").names())


class SlowStorage(Storage):
    """Storage in which a write waits for `gate`; `begun` is set by the first."""

    def __init__(self, root):
        super().__init__(root)
        self.gate, self.begun = threading.Event(), threading.Event()

    def write_bytes(self, key, content, *, durable=True):
        self.begun.set()
        assert self.gate.wait(60)
        super().write_bytes(key, content, durable=durable)


async def until_begun(storage):
    await asyncio.to_thread(storage.begun.wait, 60)


def test_labels_are_there_when_they_are_acknowledged(tmp_path):
    async def told():
        log = FeedbackLog(Storage(tmp_path), "shop", "node-1")
        segment = await log.add(labels("a", "yes", "no"), version=3)
        assert kept(Storage(tmp_path)) == {("a", 0): "yes", ("a", 1): "no"}
        await log.close()
        return segment

    segment = asyncio.run(told())
    storage = Storage(tmp_path)
    assert segments(storage) == [segment]
    table = read_feedback(storage, "shop")
    assert (table["version"].to_pylist(), table["replica"].to_pylist()) == ([3, 3], ["node-1"] * 2)


def test_what_arrives_during_a_write_goes_into_the_next_segment(tmp_path):
    async def told():
        storage = SlowStorage(tmp_path)
        log = FeedbackLog(storage, "shop", "r")
        first = asyncio.create_task(log.add(labels("first", "yes")))
        await until_begun(storage)
        others = [asyncio.create_task(log.add(labels(f"r{i}", "no"))) for i in range(50)]
        await asyncio.sleep(0)  # each of them is waiting now
        assert not first.done()
        storage.gate.set()
        names = await asyncio.gather(first, *others)
        await log.close()
        return names

    first, *others = asyncio.run(told())
    storage = Storage(tmp_path)
    assert len(set(others)) == 1 and set(others) != {first}
    assert set(segments(storage)) == {first, *others}
    assert len(kept(storage)) == 51


def test_too_many_that_wait_are_refused_and_the_others_written(tmp_path):
    async def told():
        storage = SlowStorage(tmp_path)
        log = FeedbackLog(storage, "shop", "r", max_waiting=3)
        tasks = [asyncio.create_task(log.add(labels("a", "yes")))]
        await until_begun(storage)
        tasks.append(asyncio.create_task(log.add(labels("b", "yes", "yes"))))
        await asyncio.sleep(0)
        with pytest.raises(StorageError, match="at most 3 labels wait"):
            await log.add(labels("c", "no", "no"))
        tasks.append(asyncio.create_task(log.add(labels("d", "no"))))
        await asyncio.sleep(0)
        storage.gate.set()
        await asyncio.gather(*tasks)
        await log.add(labels("e", "no", "no", "no"))  # there is room again
        await log.close()

    asyncio.run(told())
    assert {request for request, _ in kept(Storage(tmp_path))} == {"a", "b", "d", "e"}


def test_a_storage_that_fails_tells_each_who_waits_and_recovers(tmp_path):
    (tmp_path / "log").write_bytes(b"a file where a folder belongs")

    async def told():
        log = FeedbackLog(Storage(tmp_path), "shop", "r")
        outcomes = await asyncio.gather(*(log.add(labels(f"r{i}", "no")) for i in range(3)), return_exceptions=True)
        (tmp_path / "log").unlink()
        await log.add(labels("later", "yes"))
        await log.close()
        return outcomes

    outcomes = asyncio.run(told())
    assert [type(outcome) for outcome in outcomes] == [StorageError] * 3
    assert len({id(outcome) for outcome in outcomes}) == 3
    assert kept(Storage(tmp_path)) == {("later", 0): "yes"}


def test_whatever_else_fails_is_an_error_of_storage_too(tmp_path):
    async def told():
        log = FeedbackLog(Storage(tmp_path), "shop", "r")
        broken = [CheckedLabel(request_id="a", row=2**70, label="yes")]  # which `checked` refuses
        with pytest.raises(StorageError, match="received OverflowError"):
            await log.add(broken)
        await log.add(labels("b", "yes"))
        await log.close()

    asyncio.run(told())
    assert kept(Storage(tmp_path)) == {("b", 0): "yes"}


def test_who_has_stopped_waiting_is_not_written_for_and_hinders_nobody(tmp_path):
    async def told():
        storage = SlowStorage(tmp_path)
        log = FeedbackLog(storage, "shop", "r")
        first = asyncio.create_task(log.add(labels("first", "yes")))
        await until_begun(storage)
        gone, waits = (asyncio.create_task(log.add(labels(name, "no"))) for name in ("gone", "waits"))
        await asyncio.sleep(0)
        gone.cancel()
        first.cancel()  # its segment is being written already
        storage.gate.set()
        await waits
        await log.close()
        assert gone.cancelled() and first.cancelled()

    asyncio.run(told())
    assert set(kept(Storage(tmp_path))) == {("first", 0), ("waits", 0)}


def test_closing_writes_what_waits_and_takes_no_more(tmp_path):
    async def told():
        storage = SlowStorage(tmp_path)
        log = FeedbackLog(storage, "shop", "r")
        tasks = [asyncio.create_task(log.add(labels(name, "yes"))) for name in "ab"]
        await until_begun(storage)
        closing = asyncio.create_task(log.close())
        await asyncio.sleep(0)
        with pytest.raises(StorageError, match="until the replica stops"):
            await log.add(labels("c", "yes"))
        storage.gate.set()
        await closing
        assert all(task.done() for task in tasks)

    asyncio.run(told())
    assert set(kept(Storage(tmp_path))) == {("a", 0), ("b", 0)}


def test_a_log_that_wrote_nothing_closes(tmp_path):
    async def told():
        await FeedbackLog(Storage(tmp_path), "shop", "r").close()

    asyncio.run(told())
    assert segments(Storage(tmp_path)) == []
