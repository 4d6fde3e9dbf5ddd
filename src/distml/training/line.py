"""`Line`: between the worker that leads a fit, which tells and waits, and the process that hears and answers.

An actor's class, on the event loop of whoever carries it; it knows nothing of Ray.
"""

from __future__ import annotations

import asyncio
from typing import Any

CLOSED = "closed"
Told = tuple[int, str, Any]  # the number to answer to, what kind of thing it is, and the thing


class Line:
    """What is told is heard in its order. An answer goes to whoever told its number, if that is still there."""

    def __init__(self) -> None:
        self._told: asyncio.Queue[Told] = asyncio.Queue()
        self._answers: list[asyncio.Future[Any]] = []

    async def tell(self, kind: str, value: Any) -> Any:
        """The answer to what is told."""
        answer = asyncio.get_running_loop().create_future()
        self._answers.append(answer)
        await self._told.put((len(self._answers) - 1, kind, value))
        return await answer

    async def hear(self, timeout_s: float) -> Told | None:
        """What is told next; None when nothing is for so long."""
        try:
            return await asyncio.wait_for(self._told.get(), timeout_s)
        except TimeoutError:
            return None

    async def answer(self, number: int, value: Any) -> None:
        self._answers[number].set_result(value)

    async def close(self) -> None:
        """Nothing is told any more: what is heard last is `CLOSED`."""
        await self._told.put((-1, CLOSED, None))
