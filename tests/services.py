"""Services without a server: versions made live by hand, and requests answered one after another."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import orjson

from distml.predictor import Predictor
from distml.serve.admission import Place
from distml.serve.asgi import Message, read_body
from distml.serve.service import Service
from distml.serve.traffic import Deployed, Share, Traffic
from distml.serve.versions.live import Live, Serving
from distml.serve.wire import Reply


def serving_of(
    main: Predictor, number: int = 1, *, shares: Mapping[int, tuple[Predictor, float]] | None = None,
    shadow: tuple[int, Predictor] | None = None, last_good: tuple[int, Predictor] | None = None,
) -> Serving:  # fmt: skip
    """What `Versions` makes of a traffic whose versions are loaded; shares: number -> predictor and percentage."""

    def deployed(number: int) -> Deployed:
        return Deployed(version=number, package=f"trained/{number}/package")

    parts = {number: main} | {other: predictor for other, (predictor, _) in (shares or {}).items()}
    parts |= dict([last_good] if last_good is not None else [])
    lives = {number: Live(number, predictor, max_batch_rows=256) for number, predictor in parts.items()}
    traffic = Traffic(
        main=deployed(number),
        shares=tuple(
            Share(deployed=deployed(other), percent=percent) for other, (_, percent) in (shares or {}).items()
        ),
        shadow=None if shadow is None else deployed(shadow[0]),
        last_good=None if last_good is None else deployed(last_good[0]),
    )
    listening = None if shadow is None else Live(*shadow, max_batch_rows=256, is_shadow=True)
    return Serving(traffic=traffic, main=lives[number], by_number=lives, shadow=listening)


def service_of(predictor: Predictor, name: str = "shop", number: int = 1) -> Service:
    """A service with one version."""
    service = Service(name)
    service.swap(serving_of(predictor, number))
    return service


async def asked(
    service: Service, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
) -> Reply:
    """The answer to a request whose body has arrived."""

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def read(place: Place) -> bytes:
        return await read_body(receive, headers or {}, place, service.terms.limits, timeout_s=10)

    return await service.handle(method, path, headers or {}, read)


def ask(service: Service, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Reply:
    """`asked`, with an event loop of its own, and after shadows were asked, too."""

    async def whole() -> Reply:
        reply = await asked(service, method, path, body, headers)
        await service.settled()
        return reply

    return asyncio.run(whole())


def post(service: Service, document: Any, path: str = "/predict", **headers: str) -> tuple[int, dict[str, Any]]:
    """Status and JSON answer of rows, or of a body as it is."""
    reply = ask(service, "POST", path, document if isinstance(document, bytes) else orjson.dumps(document), headers)
    return reply.status, orjson.loads(reply.body)
