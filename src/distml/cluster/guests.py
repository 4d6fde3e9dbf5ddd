"""Guests: models that other processes serve on a local cluster beside its holder's own.

A guest is a locked file in the cluster's private folder. The kernel frees the lock however its process ends, and the
holder, which alone lives as long as the cluster, takes down what a guest has left.
"""

from __future__ import annotations

import contextlib
import fcntl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from distml.errors import UsageError

_POLL_S = 0.1


class Guests:
    """Of the cluster whose private files are in `state`."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self._folder = state / "guests"

    @contextlib.contextmanager
    def joined(self, name: str, patience_s: float = 30.0) -> Iterator[bool]:
        """This process as the guest that serves a model; yields False where the cluster takes none any more.

        At its end it waits until the holder has taken the model down, for as long as its patience lasts. Raises
        `UsageError` when the model has a guest already.
        """
        file = self._folder / name
        with contextlib.ExitStack() as presence:
            with self._door() as is_open:
                if is_open:
                    self._folder.mkdir(exist_ok=True)
                    _take(presence.enter_context(file.open("w")), name)
            yield is_open
        deadline = time.monotonic() + patience_s
        while is_open and file.exists() and time.monotonic() < deadline:
            time.sleep(_POLL_S)

    def names(self) -> list[str]:
        """The models of the guests that are there, and of those that are gone but not yet taken down."""
        return sorted(file.name for file in self._folder.glob("*"))

    def sweep(self, withdraw: Callable[[str], None]) -> None:
        """Takes down the models of guests that are gone. For the holder; whoever joins waits meanwhile."""
        for name in self.names():
            file = self._folder / name
            with self._door(), file.open() as lock:
                if _is_free(lock):
                    withdraw(name)
                    file.unlink()

    def close(self) -> bool:
        """Whether no guest is left; if so, none is let in from now on."""
        with self._door():
            if self.names():
                return False
            (self._state / "closed").touch()
            return True

    @contextlib.contextmanager
    def _door(self) -> Iterator[bool]:
        """One at a time comes, goes or counts; yields whether the cluster takes guests."""
        try:
            lock = (self._state / "door").open("w")
        except FileNotFoundError:  # the folder is gone, and the cluster with it
            yield False
            return
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield not (self._state / "closed").exists()


def _take(lock: IO[str], name: str) -> None:
    if not _is_free(lock):
        raise UsageError(
            "a model is served by one process",
            received=f"{name}, which another process serves on this cluster",
            remedy=f"distml deploy {name} again, which swaps the version in, or distml down {name} first",
        )


def _is_free(lock: IO[str]) -> bool:
    """Whether nobody has the lock, which this process has from now on."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
