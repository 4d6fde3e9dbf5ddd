"""`App`: a `Service` as an ASGI application, which is what a replica's HTTP server calls for each request."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from distml.serve.admission import Place
from distml.serve.service import Service
from distml.serve.wire import Limits, Problem, Reply, too_large

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
_UNREAD = (408, 413)  # what is answered before a body was read to its end, which the connection can't go on from


async def _nothing() -> None:
    pass


class App:
    """Reads bodies, and writes what the service answers.

    close: is awaited when the server stops, after the last request. adds_request_id: False where the server before it
    writes `X-Request-Id` into every answer, as Ray Serve's does.
    """

    def __init__(
        self, service: Service, *, body_timeout_s: float = 10.0, close: Callable[[], Awaitable[None]] = _nothing,
        adds_request_id: bool = True,
    ) -> None:  # fmt: skip
        self._service = service
        self._body_timeout_s = body_timeout_s
        self._close = close
        self._adds_request_id = adds_request_id

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)
        else:  # before a connection is accepted this is a 403
            await send({"type": "websocket.close"})

    async def _live(self, receive: Receive, send: Send) -> None:
        while (message := await receive())["type"] != "lifespan.shutdown":
            await send({"type": f"{message['type']}.complete"})
        await self._close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _answer(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        path = scope["path"].removeprefix(scope.get("root_path", ""))

        async def read(place: Place) -> bytes:
            return await read_body(receive, headers, place, self._service.terms.limits, self._body_timeout_s)

        reply = await self._service.handle(scope["method"], path, headers, read)
        if not self._adds_request_id:
            del reply.headers["X-Request-Id"]
        await send({"type": "http.response.start", "status": reply.status, "headers": _headers(reply)})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else reply.body})


async def read_body(
    receive: Receive, headers: Mapping[str, str], place: Place, limits: Limits, timeout_s: float
) -> bytes:
    """A request's body, whose bytes its place holds.

    Raises `Problem` 413 as soon as it is known to be too large, 408 when it doesn't arrive in time, 503 where there is
    no room for it, and 400 when the client goes away.
    """
    announced = headers.get("content-length", "")
    if announced.isdigit() and (len(announced) > 18 or int(announced) > limits.max_body_bytes):
        raise too_large(limits)
    chunks: list[bytes] = []
    try:
        async with asyncio.timeout(timeout_s):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Problem(400, "client-disconnected", "the client went away before its body had arrived")
                chunk = message.get("body", b"")
                if place.num_bytes + len(chunk) > limits.max_body_bytes:
                    raise too_large(limits)
                place.hold(len(chunk))
                chunks.append(chunk)
                if not message.get("more_body", False):
                    return chunk if len(chunks) == 1 else b"".join(chunks)
    except TimeoutError:
        raise Problem(408, "slow-body", f"a body arrives within {timeout_s:g} s") from None


def _headers(reply: Reply) -> list[tuple[bytes, bytes]]:
    told = {"content-length": str(len(reply.body))} if reply.status != 204 else {}
    if reply.body:
        told["content-type"] = reply.content_type
    if reply.status in _UNREAD:
        told["connection"] = "close"
    told |= reply.headers
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in told.items()]
