"""What a run says to its tracker, off the run's own thread: put down at once, sent when the tracker has time.

One thread sends. It waits a moment for what comes together and says it in few calls. While the tracker is away, what is
put down waits in storage, not in memory, and outlives this process; once the tracker answers again it is sent in its
order, with its times. So a tracker that is away fails nothing and slows nothing.
"""

from __future__ import annotations

import threading
import time
from bisect import insort
from typing import Protocol

from distml.errors import DistmlError, StorageError
from distml.tracking.base import RefusedError
from distml.tracking.entries import Entry, merged
from distml.tracking.spool import Spool

INTERVAL_S = 1.0  # what comes together within this time is sent together
RETRY_S = 5.0  # between questions to a tracker that is away
MOST_IN_MEMORY = 10_000  # entries; more wait in storage though the tracker answers, as it is too slow
MOST_TRIES = 5  # of an entry that fails while the tracker answers; then it is given up, and those behind it go on
_CLOSING_RETRY_S = 1.0


class Sends(Protocol):
    """Sends entries, and bears to be given one twice: see `Sender`."""

    def send(self, entry: Entry) -> None:
        """Raises `RefusedError` for what the tracker won't have, `StorageError` while it is away."""
        ...

    def answers(self) -> bool:
        """Whether the tracker is there at all."""
        ...


class Outbox:
    """Sends what is put into it by `sender`, and first what an earlier process has left in `spool`."""

    def __init__(
        self,
        sender: Sends,
        spool: Spool,
        *,
        interval_s: float = INTERVAL_S,
        retry_s: float = RETRY_S,
        most_in_memory: int = MOST_IN_MEMORY,
    ) -> None:
        self._sender = sender
        self._spool = spool
        self._interval_s, self._retry_s, self._most_in_memory = interval_s, retry_s, most_in_memory
        self._changed = threading.Condition(threading.RLock())
        self._pending: list[Entry] = []  # not yet taken by the thread
        self._in_hand: tuple[int, list[Entry]] | None = None  # being sent; the number of its file if it has to wait
        self._spooled = spool.numbers()
        self._next = self._spooled[-1] + 1 if self._spooled else 1
        self._notes: list[str] = []
        self._failed: Entry | None = None  # while the tracker answered
        self._num_tries = 0
        self._is_away = self._is_closing = self._is_left = False
        self._got_through_at = time.monotonic()
        self._thread = threading.Thread(target=self._work, name="distml-outbox", daemon=True)
        self._thread.start()

    def put(self, entry: Entry) -> None:
        """Takes an entry over; it waits for nothing but, at times, storage."""
        with self._changed:
            self._pending.append(entry)
            if len(self._pending) >= self._most_in_memory:
                self._put_by()
            self._changed.notify()

    def notes(self) -> list[str]:
        """What whoever watches should know, in lines; each is given once."""
        with self._changed:
            notes, self._notes = self._notes, []
            return notes

    def close(self, wait_s: float) -> int:
        """Sends the rest; gives up when nothing has got through for `wait_s`. How many entries wait in storage then."""
        with self._changed:
            self._is_closing = True
            self._got_through_at = time.monotonic()
            self._changed.notify()
            while self._thread.is_alive() and time.monotonic() < self._got_through_at + wait_s:
                self._changed.wait(0.05)
            self._is_left = True  # the thread may hang in a call, and isn't waited for
            self._put_back()
            self._put_by()
            return self._spool.count()

    def _work(self) -> None:
        while self._waited():
            try:
                self._forward()
            except DistmlError as error:  # of storage
                self._note(f"what waits for the tracker can't be read or kept: {error}")
                self._is_away = True

    def _waited(self) -> bool:
        """Waits for something to send, and for the time to send it; whether there is any."""
        with self._changed:
            while not (self._pending or self._spooled or self._is_closing):
                self._changed.wait()
            waits = self._is_away or self._failed is not None
            end = time.monotonic() + (self._retry_s if waits else self._interval_s)
            while not self._is_closing and (left_s := end - time.monotonic()) > 0:
                self._changed.wait(left_s)
            if self._is_closing and waits:
                self._changed.wait(min(self._retry_s, _CLOSING_RETRY_S))
            return bool(self._pending or self._spooled) and not self._is_left

    def _forward(self) -> None:
        """Sends what waits, oldest first, as far as the tracker takes it."""
        with self._changed:
            if self._spooled:
                self._put_by()
        while self._spooled:
            number = self._spooled[0]
            if not self._sent(self._spool.read(number)):
                return
            with self._changed:
                self._spool.delete(number)
                self._spooled.pop(0)
        with self._changed:
            self._in_hand, self._pending = (self._next, self._pending), []
            self._next += 1
        is_sent = self._sent(self._in_hand[1])
        with self._changed:
            if is_sent:
                self._in_hand = None
            self._put_back()

    def _sent(self, entries: list[Entry]) -> bool:
        """Whether the tracker took all, but for what it refuses. If not, it may have taken some."""
        for entry in merged(entries):
            try:
                self._sender.send(entry)
            except StorageError as error:
                if not self._is_given_up(entry, error):
                    return False
            except Exception as error:  # noqa: BLE001 - whatever it is, the run goes on and hears of it
                self._note(f"not logged: {type(error).__name__}: {error}")
            else:
                self._note_success()
            if self._is_left:
                return False
        return True

    def _note_success(self) -> None:
        with self._changed:
            if self._is_away:
                self._notes.append("the tracker answers again, and gets what it has missed")
            self._is_away = False
            self._got_through_at = time.monotonic()

    def _is_given_up(self, entry: Entry, error: StorageError) -> bool:
        """Notes that an entry wasn't taken; False if it is tried again."""
        if isinstance(error, RefusedError):
            self._note(f"not logged: {error}")
            return True
        if not self._sender.answers():
            if not self._is_away:
                self._note(f"the tracker is away; what is to be logged waits in storage until it answers: {error}")
            self._is_away = True
            return False
        self._num_tries = self._num_tries + 1 if entry == self._failed else 1
        self._failed = entry
        if self._num_tries < MOST_TRIES:
            return False
        self._note(f"not logged, after {MOST_TRIES} tries: {error}")
        self._failed = None
        return True

    def _put_back(self) -> None:
        """What was being sent into the spool, in its place."""
        if self._in_hand is not None:
            self._keep(*self._in_hand)
        self._in_hand = None

    def _put_by(self) -> None:
        """What is pending into the spool, behind the rest."""
        pending, self._pending = self._pending, []
        self._keep(self._next, pending)
        self._next += 1

    def _keep(self, number: int, entries: list[Entry]) -> None:
        if not entries:
            return
        try:
            self._spool.write(number, merged(entries))
        except StorageError as error:
            self._note(f"{len(entries)} entries are not logged, as they can't be kept until they are: {error}")
        else:
            insort(self._spooled, number)

    def _note(self, text: str) -> None:
        with self._changed:
            self._notes.append(text)
