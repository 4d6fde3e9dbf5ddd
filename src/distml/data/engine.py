"""Where the work of a pass is done: one protocol, in this process (`local`) or across a cluster (`on_ray`)."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any, Protocol, TypeVar

Item = TypeVar("Item")
Note = TypeVar("Note")
Argument = TypeVar("Argument")
Result = TypeVar("Result")


Reader = Callable[[Item], Iterator[Any]]
"""The blocks of an item, in order."""
Maker = Callable[[Item, int, Any], tuple[Note, Any]]
"""What becomes of an item's block with this number: a note, and a pyarrow table."""


class Shelf(Protocol[Note]):
    """Tables that a pass has made, kept where they were made until `close`; a note of each is here.

    They come in the order of the items and of the blocks within one.
    """

    notes: list[Note]

    def map(
        self, function: Callable[[Any, Argument], Result], arguments: Sequence[Argument | None], *, cpu: float = 1,
        gpu: float = 0,
    ) -> list[Result]:  # fmt: skip
        """A function of each table and the argument of the same place; `None` leaves the table out, result and all."""
        ...

    def close(self) -> None: ...


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

    def shelve(
        self, read: Reader[Item], make: Maker[Item, Note], items: Sequence[Item], *, cpu: float = 1, gpu: float = 0
    ) -> Shelf[Note]:
        """Makes a table of every block of every item, and keeps them."""
        ...
