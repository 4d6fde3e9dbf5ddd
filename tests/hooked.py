"""A Ray engine whose workers do something more at every step of a pass: die, or say what they reserve.

It is carried to the workers by value, as they don't have the tests on their path.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import ray

from distml.data.on_ray import RayEngine

Step = Literal["read", "make", "map"]
Hook = Callable[[Step], None]


@dataclass(frozen=True)
class DiesOnce:
    """Kills its worker the first time that anyone comes to a step."""

    folder: Path
    step: Step

    def __call__(self, step: Step) -> None:
        if step == self.step:
            try:
                (self.folder / "died").touch(exist_ok=False)
            except FileExistsError:
                return
            os.kill(os.getpid(), signal.SIGKILL)


@dataclass(frozen=True)
class Reports:
    """Notes what the task has reserved."""

    folder: Path

    def __call__(self, step: Step) -> None:
        reserved = ray.get_runtime_context().get_assigned_resources()
        (self.folder / f"{step} {reserved.get('CPU', 0)} {reserved.get('GPU', 0)}").touch()


@dataclass(frozen=True)
class HookedEngine(RayEngine):
    """Hooks come between two blocks of an item, when a table is made but not yet kept, and when a result is known."""

    hook: Hook

    def shelve(self, read: Any, make: Any, items: Sequence[Any], *, cpu: float = 1, gpu: float = 0) -> Any:
        shelf = super().shelve(
            HookedRead(read, self.hook), HookedCall(make, self.hook, "make"), items, cpu=cpu, gpu=gpu
        )  # fmt: skip
        return HookedShelf(shelf, self.hook)


@dataclass(frozen=True)
class HookedRead:
    """Gives every block in two halves."""

    read: Any
    hook: Hook

    def __call__(self, item: Any) -> Iterator[Any]:
        for block in self.read(item):
            if block.table is None or block.table.num_rows < 2:
                yield block
                continue
            middle = block.table.num_rows // 2
            yield replace(block, table=block.table.slice(0, middle))
            self.hook("read")
            yield replace(block, table=block.table.slice(middle), first=block.first + middle)


@dataclass(frozen=True)
class HookedCall:
    function: Any
    hook: Hook
    step: Step

    def __call__(self, *arguments: Any) -> Any:
        result = self.function(*arguments)
        self.hook(self.step)
        return result


@dataclass
class HookedShelf:
    shelf: Any
    hook: Hook

    @property
    def notes(self) -> list[Any]:
        return self.shelf.notes

    def map(self, function: Any, arguments: Sequence[Any], **reserved: float) -> list[Any]:
        return self.shelf.map(HookedCall(function, self.hook, "map"), arguments, **reserved)

    def close(self) -> None:
        self.shelf.close()
