"""The live table as text: a board's rows, its best with the curve, its counts and time, for the room that there is."""

from __future__ import annotations

from typing import Literal

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from distml.cli.board import Board, Row
from distml.cli.searched import brief, score_text
from distml.cli.sparkline import sparkline
from distml.wording import duration

_MARGIN = 3  # columns on the right that stay free: there a terminal shows the ^C that is pressed
_MOST_ROWS = 16
_NUM_BARS = 24
_TABLE_NEEDS = 48  # columns of a terminal; a narrower one has the two lines below alone
_NEED = {"time": 56, "parameters": 72}  # the width from which on a table has a column
_STYLES = {"running": "bold", "failed": "red", "pruned": "dim", "stopped": "dim"}


class BoardView:
    """A rich renderable of a board at a moment; the board must not change while it is drawn."""

    def __init__(self, board: Board, now: float) -> None:
        self._board = board
        self._now = now

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        within = options.update(max_width=options.max_width - _MARGIN)
        rows = [*self._board.running, *self._board.ended]
        room = max(0, min(_MOST_ROWS, options.size.height - 6))  # beside a head, two lines below and some above
        has_table = rows and room and options.max_width >= _TABLE_NEEDS
        parts: list[Table | Text] = [_table(rows[:room], self._now, within.max_width)] if has_table else []
        for part in [*parts, _best(self._board, self._now), _standing(self._board, self._now)]:
            yield from console.render(part, within)


def _table(rows: list[Row], now: float, width: int) -> Table:
    """Parameters take what room the others leave."""
    cells = {
        "trial": [str(row.number) for row in rows],
        "family": [row.family for row in rows],
        "state": [row.state for row in rows],
        "epoch": [str(row.epoch) for row in rows],
        "score": [score_text(row.score) for row in rows],
        "time": [duration(row.seconds_at(now)) for row in rows],
        "parameters": [brief(row.params) for row in rows],
    }
    names = [name for name in cells if width >= _NEED.get(name, 0)]
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in names:
        justify: Literal["left", "right"] = "left" if name in ("family", "state", "parameters") else "right"
        # Only a column that may wrap is made narrower; its texts say that they don't wrap all the same.
        table.add_column(name, justify=justify, no_wrap=name != "parameters")
    for i, row in enumerate(rows):
        table.add_row(*(_line(cells[name][i]) for name in names), style=_STYLES.get(row.state, ""))
    return table


def _best(board: Board, now: float) -> Text:
    best, name = board.best, board.terms.metric.name
    if best is None:
        return _line(f"best {name} –")
    line = _line(f"best {name} {score_text(best.score)}  trial {best.number} {best.family}  ")
    return line.append(sparkline(board.curve, now, _NUM_BARS), style="cyan")


def _standing(board: Board, now: float) -> Text:
    counts, left = board.counts, board.left_s(now)
    parts = [f"{sum(counts.values())}/{board.terms.num_samples} trials"]
    parts += [] if left is None else [f"about {duration(left)} left"]
    parts += [f"{duration(board.elapsed_s(now))} gone", f"{len(board.running)} running"]
    parts += [f"{count} {state}" for state, count in counts.items() if state != "finished"]
    return _line(" · ".join(parts))


def _line(text: str) -> Text:
    return Text(text, no_wrap=True, overflow="ellipsis")
