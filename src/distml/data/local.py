"""The engine that does the work in this process."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import BoundedSemaphore, Lock
from typing import Any, Generic

from distml.data.engine import Argument, Item, Maker, Note, Reader, Result, Shelf

_Place = Any  # a pyarrow table, or the path of a file that holds one


class LocalEngine:
    """One item after another, in this process; tables by as many threads as it has cores, their blocks apart.

    What is shelved beyond `max_shelved_bytes` (a quarter of the machine's memory, unless given) lies in files.
    """

    name = "local"

    def __init__(self, max_shelved_bytes: int | None = None, num_threads: int | None = None) -> None:
        self._max_bytes = max_shelved_bytes or os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 4
        self._num_threads = num_threads or _num_cores()

    def map(
        self, function: Callable[[Item], Result], items: Sequence[Item], *, cpu: float = 1, gpu: float = 0
    ) -> list[Result]:
        return [function(item) for item in items]

    def map_with(
        self, build: Callable[[], Callable[[Item], Result]], items: Sequence[Item], *, cpu: float = 1, gpu: float = 0
    ) -> Generator[Result, None, None]:
        if items:
            yield from map(build(), items)

    def shelve(
        self, read: Reader[Item], make: Maker[Item, Note], items: Sequence[Item], *, cpu: float = 1, gpu: float = 0
    ) -> Shelf[Note]:
        shelf: LocalShelf[Note] = LocalShelf(self._max_bytes, self._num_threads)
        room = BoundedSemaphore(2 * self._num_threads)  # blocks that are read and not made yet

        def made(item: Item, number: int, block: Any) -> tuple[Note, _Place]:
            note, table = make(item, number, block)
            return note, shelf.put(table)

        def go_through(item: Item) -> list[tuple[Note, _Place]]:
            waited: list[Future[tuple[Note, _Place]]] = []
            for number, block in enumerate(read(item)):
                room.acquire()
                waited.append(makers.submit(made, item, number, block))
                waited[-1].add_done_callback(lambda _: room.release())
            return [future.result() for future in waited]

        with (
            ThreadPoolExecutor(self._num_threads) as makers,
            ThreadPoolExecutor(self._num_threads) as readers,
        ):
            done = [readers.submit(go_through, item) for item in items]
            try:
                for future in done:
                    shelf.add(future.result())
            except BaseException:
                for future in done:
                    future.cancel()
                shelf.close()
                raise
        return shelf


class LocalShelf(Generic[Note]):
    """Implements `Shelf` in memory, and in files of a temporary folder for what is beyond."""

    def __init__(self, max_bytes: int, num_threads: int) -> None:
        self.notes: list[Note] = []
        self._places: list[_Place] = []
        self._room = max_bytes
        self._lock = Lock()
        self._num_threads = num_threads
        self._folder = TemporaryDirectory(prefix="distml-shelf-")
        self._num_files = 0

    def put(self, table: Any) -> _Place:
        """A table's place: itself while there is room."""
        with self._lock:
            self._room -= table.nbytes
            if self._room >= 0:
                return table
            self._num_files += 1
            path = Path(self._folder.name) / f"{self._num_files}.arrow"
        import pyarrow as pa

        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
        return path

    def add(self, made: Sequence[tuple[Note, _Place]]) -> None:
        for note, place in made:
            self.notes.append(note)
            self._places.append(place)

    def map(
        self, function: Callable[[Any, Argument], Result], arguments: Sequence[Argument | None], *, cpu: float = 1,
        gpu: float = 0,
    ) -> list[Result]:  # fmt: skip
        assert len(arguments) == len(self._places), "an argument for each table"
        chosen = [(place, given) for place, given in zip(self._places, arguments, strict=True) if given is not None]
        with ThreadPoolExecutor(self._num_threads) as pool:
            futures = [pool.submit(_applied, function, place, given) for place, given in chosen]
            try:
                return [future.result() for future in futures]
            except BaseException:
                for future in futures:
                    future.cancel()
                raise

    def close(self) -> None:
        self._places.clear()
        self._folder.cleanup()


def _applied(function: Callable[[Any, Argument], Result], place: _Place, given: Argument) -> Result:
    return function(_fetch(place), given)


def _fetch(place: _Place) -> Any:
    if not isinstance(place, Path):
        return place
    import pyarrow as pa

    return pa.ipc.open_file(pa.memory_map(str(place))).read_all()


def _num_cores() -> int:
    """Cores that this process may use, where the system tells; else those of the machine."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
