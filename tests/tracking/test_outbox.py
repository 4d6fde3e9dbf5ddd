import threading
import time

import pytest

from distml.errors import StorageError
from distml.storage import Storage
from distml.tracking import Outbox, Point, RefusedError, Spool
from distml.tracking.entries import End, Start, log, merged
from distml.tracking.outbox import MOST_TRIES

PATIENCE_S = 20.0


class Server:
    """Implements `Sends`: keeps what it is told while it is there."""

    def __init__(self):
        self.there = threading.Event()
        self.there.set()
        self.told = []
        self.fails = lambda entry: None
        self.num_asked = 0
        self.changed = threading.Condition()

    def send(self, entry):
        with self.changed:
            self.num_asked += 1
            self.changed.notify_all()
        if (error := self.fails(entry)) is not None:
            raise error
        if not self.there.is_set():
            raise StorageError("the tracking server answers", received="nothing")
        with self.changed:
            self.told.append(entry)
            self.changed.notify_all()

    def answers(self):
        return self.there.is_set()

    def until(self, condition):
        with self.changed:
            assert self.changed.wait_for(condition, PATIENCE_S)


@pytest.fixture
def server():
    return Server()


@pytest.fixture
def spool(tmp_path):
    return Spool(Storage(tmp_path), "runs/r/tracking")


def outbox_of(server, spool, **settings):
    return Outbox(server, spool, **{"interval_s": 0.0, "retry_s": 0.01, **settings})


def point(number, run="a"):
    return log(run, points=[Point("loss", 1.0, number, number)])


def steps(entries):
    return [found.step for entry in entries for found in getattr(entry, "points", ())]


def test_what_is_put_down_is_sent_in_its_order(server, spool):
    outbox = outbox_of(server, spool)
    for number in range(100):
        outbox.put(point(number))
    assert outbox.close(PATIENCE_S) == 0
    assert steps(server.told) == list(range(100))
    assert outbox.notes() == []
    assert spool.numbers() == []


def test_what_comes_together_is_sent_together(server, spool):
    outbox = outbox_of(server, spool, interval_s=PATIENCE_S)
    entries = [Start(run="a", name="a", tags={}), *(point(i) for i in range(50)), End(run="a", status="FINISHED")]
    for entry in entries:
        outbox.put(entry)
    assert outbox.close(PATIENCE_S) == 0
    assert server.told == merged(entries)
    assert server.num_asked == 3


def test_putting_down_waits_for_no_server(server, spool):
    """The server takes an entry and doesn't answer."""
    hangs = threading.Event()
    server.fails = lambda entry: hangs.wait(PATIENCE_S) and None
    outbox = outbox_of(server, spool)
    for number in range(10):
        outbox.put(point(number))
    server.until(lambda: server.num_asked)
    assert outbox.close(0.1) > 0
    assert sorted({step for number in spool.numbers() for step in steps(spool.read(number))}) == list(range(10))
    hangs.set()


def test_a_server_that_was_away_gets_everything_in_order(server, spool):
    outbox = outbox_of(server, spool)
    outbox.put(point(0))
    server.until(lambda: server.told)
    server.there.clear()
    outbox.put(point(1))
    server.until(lambda: server.num_asked >= 5)
    for number in range(2, 20):
        outbox.put(point(number))
    assert any("the tracker is away" in note for note in outbox.notes())
    server.there.set()
    server.until(lambda: steps(server.told)[-1:] == [19])
    assert outbox.close(PATIENCE_S) == 0
    assert steps(server.told) == list(range(20))
    assert outbox.notes() == ["the tracker answers again, and gets what it has missed"]
    assert spool.numbers() == []


def test_while_the_server_is_away_entries_wait_in_storage(server, spool):
    server.there.clear()
    outbox = outbox_of(server, spool)
    outbox.put(point(0))
    server.until(lambda: server.num_asked >= 2)
    for number in range(1, 6):
        outbox.put(point(number))
    server.until(lambda: server.num_asked >= 10)
    assert {step for number in spool.numbers() for step in steps(spool.read(number))} == set(range(6))
    assert outbox.close(0.0) > 0


@pytest.mark.parametrize("goes_away", [True, False])
def test_what_is_left_is_sent_by_the_next_process_first(goes_away, server, spool):
    """The process before was killed, or had waited in vain."""
    server.there.clear()
    before = outbox_of(server, spool)
    for number in range(5):
        before.put(point(number))
    if goes_away:
        assert before.close(0.05) > 0
    else:
        server.until(lambda: server.num_asked >= 5)
    left = [step for number in spool.numbers() for step in steps(spool.read(number))]
    assert left == list(range(5))

    later = Server()
    after = outbox_of(later, spool)
    after.put(point(5))
    assert after.close(PATIENCE_S) == 0
    assert steps(later.told) == list(range(6))
    assert spool.numbers() == []
    before.close(0.0)


def test_closing_gives_up_when_nothing_gets_through(server, spool):
    server.there.clear()
    outbox = outbox_of(server, spool)
    outbox.put(point(1))
    outbox.put(log("b", tags={"x": 1}))
    began = time.monotonic()
    assert outbox.close(0.3) == 2
    assert time.monotonic() - began >= 0.3
    assert server.told == []


def test_closing_waits_for_a_server_that_comes_back(server, spool):
    server.there.clear()
    outbox = outbox_of(server, spool)
    outbox.put(point(1))
    threading.Timer(0.5, server.there.set).start()
    assert outbox.close(PATIENCE_S) == 0
    assert steps(server.told) == [1]


@pytest.mark.parametrize("error", [RefusedError("a param is written once"), KeyError("x")])
def test_what_is_refused_is_told_and_holds_nothing_up(error, server, spool):
    server.fails = lambda entry: error if entry.run == "bad" else None
    outbox = outbox_of(server, spool)
    outbox.put(point(1, run="bad"))
    outbox.put(point(2))
    assert outbox.close(PATIENCE_S) == 0
    assert steps(server.told) == [2]
    (note,) = outbox.notes()
    assert note.startswith("not logged: ")


def test_what_fails_again_and_again_while_the_server_answers_is_given_up(server, spool):
    """As artifacts whose folder on the server can't be written from here."""
    server.fails = lambda entry: StorageError("the disk is writable", received="no") if entry.run == "bad" else None
    outbox = outbox_of(server, spool)
    outbox.put(point(1, run="bad"))
    outbox.put(point(2))
    assert outbox.close(PATIENCE_S) == 0
    assert steps(server.told)[-1] == 2
    assert server.num_asked >= MOST_TRIES
    (note,) = outbox.notes()
    assert note.startswith(f"not logged, after {MOST_TRIES} tries: the disk is writable")


def test_what_a_slow_server_leaves_over_is_bounded_in_memory(server, spool):
    """It holds one call; what is put down meanwhile goes to storage by the hundred, and comes out in its order."""
    goes_on = threading.Event()
    server.fails = lambda entry: goes_on.wait(PATIENCE_S) and None
    outbox = outbox_of(server, spool, most_in_memory=100)
    outbox.put(point(0))
    server.until(lambda: server.num_asked)
    for number in range(1, 1001):
        outbox.put(point(number))
    assert len(outbox._pending) < 100
    assert len(spool.numbers()) == 10
    goes_on.set()
    assert outbox.close(PATIENCE_S) == 0
    assert steps(server.told) == list(range(1001))


def test_a_call_that_fails_after_others_were_put_by_goes_before_them(server, spool):
    goes_on = threading.Event()
    server.fails = lambda entry: goes_on.wait(PATIENCE_S) and None
    outbox = outbox_of(server, spool, most_in_memory=10)
    outbox.put(point(0))
    server.until(lambda: server.num_asked)
    for number in range(1, 21):
        outbox.put(point(number))
    server.there.clear()
    goes_on.set()
    server.until(lambda: server.num_asked >= 3)
    server.there.set()
    assert outbox.close(PATIENCE_S) == 0
    assert steps(server.told) == list(range(21))


def test_a_disk_that_is_full_is_told(server, spool, monkeypatch):
    def fails(number, entries):
        raise StorageError("storage must be writable", received="No space left on device")

    server.there.clear()
    monkeypatch.setattr(spool, "write", fails)
    outbox = outbox_of(server, spool)
    outbox.put(point(1))
    assert outbox.close(0.3) == 0
    assert any("1 entries are not logged, as they can't be kept" in note for note in outbox.notes())
