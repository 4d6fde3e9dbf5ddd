"""How a run goes, on a terminal: the lines that any run prints, and below them a bar while trials run."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from distml.cli.output import Lines


class Bar(Lines):
    """A `Reporter` for a terminal: trials done, running, the best score so far, the time left."""

    def __init__(self) -> None:
        super().__init__()
        self._console = Console(stderr=True)
        self._bar: Progress | None = None
        self._best = "–"

    def trial(self, record: Any, best: float | None, num_done: int, num_samples: int) -> None:
        self._best = "–" if best is None else f"{best:.6g}"
        super().trial(record, best, num_done, num_samples)

    def trials(self, num_running: int, num_done: int, num_samples: int) -> None:
        if self._bar is None:
            self._bar = Progress(
                TextColumn("tune"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[running]} running"),
                TextColumn("best {task.fields[best]}"), TimeElapsedColumn(), TextColumn("left"),
                TimeRemainingColumn(), console=self._console, transient=True, redirect_stdout=False,
                redirect_stderr=False,
            )  # fmt: skip
            self._bar.add_task("tune", total=num_samples, running=0, best=self._best)
            self._bar.start()
        (task,) = self._bar.task_ids
        self._bar.update(task, completed=num_done, running=num_running, best=self._best)

    def stage(self, name: str, note: str) -> None:
        if name != "tune":
            self.close()
        super().stage(name, note)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _line(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)
