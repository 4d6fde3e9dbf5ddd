"""Where the work of a pass is done: one protocol, in this process or (in `on_ray`) across a cluster."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Engine(Protocol):
    """Applies a function to every item; results come in the items' order.

    A `DistmlError` that the function raises is raised as it is, the first item's first; it is never a result.
    `cpu` and `gpu` are what each call reserves where the engine has a say in that.
    """

    name: str

    def map(
        self, function: Callable[[Item], Result], items: Sequence[Item], *, cpu: float = 1, gpu: float = 0
    ) -> list[Result]: ...


class LocalEngine:
    """One item after another, in this process."""

    name = "local"

    def map(
        self, function: Callable[[Item], Result], items: Sequence[Item], *, cpu: float = 1, gpu: float = 0
    ) -> list[Result]:
        return [function(item) for item in items]
