"""How a run goes, on a terminal: lines for what stays true, and below them a picture of what goes on now."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from rich.console import Console, RenderableType
from rich.live import Live
from rich.segment import Segments
from rich.text import Text

from distml.cli.board import Board
from distml.cli.board_view import BoardView
from distml.cli.output import Lines
from distml.wording import duration

REFRESHES_PER_S = 2  # of some 5 ms each: a search in this process has the rest
MIN_WIDTH = 40  # of a terminal that shows a picture; a narrower one has lines alone


class Picture(Lines):
    """A `Reporter` for a terminal: a live table of a search's trials, and of other stages how long they take.

    The picture is drawn by a thread of its own; being told of a trial costs a search nothing but a note. Trials that
    ended well are in the picture alone, others have their line too.
    """

    def __init__(self, console: Console | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._console = console or Console(stderr=True)
        self._clock = clock
        self._lock = threading.Lock()  # of what is drawn, which changes while the drawing thread looks
        self._board: Board | None = None
        self._stage: tuple[str, float] | None = None  # what goes on, since when
        self._live: Live | None = None

    def stage(self, name: str, note: str) -> None:
        if note == "…":
            with self._lock:
                self._stage, self._board = (name, self._clock()), None
            self._draw()
        super().stage(name, note)

    def done(self, name: str, note: str) -> None:
        self.close()
        super().done(name, note)

    def search(self, terms: Any) -> None:
        with self._lock:
            self._board = Board(terms, self._clock())

    def recall(self, trial: Any) -> None:
        self._note(lambda board, now: board.recall(trial, now))

    def began(self, candidate: Any) -> None:
        self._note(lambda board, now: board.began(candidate, now))

    def epochs(self, number: int, epochs: Any) -> None:
        self._note(lambda board, now: board.epochs(number, epochs, now))

    def trial(self, record: Any, best: float | None, num_done: int, num_samples: int) -> None:
        self._note(lambda board, now: board.end(record, now))
        if record.reason:
            super().trial(record, best, num_done, num_samples)
        else:
            self._tell_notes(record)

    def close(self) -> None:
        """Takes the picture away; lines stay."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def picture(self) -> RenderableType:
        """What is drawn now, as it will be drawn: nothing of it changes any more."""
        with self._lock:
            now = self._clock()
            if self._console.width < MIN_WIDTH or self._stage is None:
                return Text()
            if self._board is not None:
                return Segments(self._console.render(BoardView(self._board, now)))
            name, since = self._stage
            return Text(f"{name}, {duration(now - since)}", style="dim")

    def _note(self, change: Callable[[Board, float], None]) -> None:
        with self._lock:
            if self._board is not None:
                change(self._board, self._clock())

    def _draw(self) -> None:
        if self._live is not None:
            return
        self._live = Live(
            console=self._console, get_renderable=self.picture, refresh_per_second=REFRESHES_PER_S, transient=True,
            vertical_overflow="crop",
        )  # fmt: skip
        self._live.start()
        self._console.show_cursor(True)  # a process that is killed couldn't show it again

    def _line(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)
