"""Where the work of a pass is done: one protocol, in this process or (in `on_ray`) across a cluster."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
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

    def map_with(
        self, build: Callable[[], Callable[[Item], Result]], items: Sequence[Item], *, cpu: float = 1, gpu: float = 0
    ) -> Generator[Result, None, None]:
        """As `map`, for a function that is costly to make: each worker builds one and keeps it.

        A result comes as soon as it is there and those before it have come. The work starts with the first one asked
        for; closing the generator ends it.
        """
        ...


class LocalEngine:
    """One item after another, in this process."""

    name = "local"

    def map(
        self, function: Callable[[Item], Result], items: Sequence[Item], *, cpu: float = 1, gpu: float = 0
    ) -> list[Result]:
        return [function(item) for item in items]

    def map_with(
        self, build: Callable[[], Callable[[Item], Result]], items: Sequence[Item], *, cpu: float = 1, gpu: float = 0
    ) -> Generator[Result, None, None]:
        if items:
            yield from map(build(), items)
