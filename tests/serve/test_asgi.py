"""The application as a server calls it: how bodies are read, and what is sent."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest

from distml.predictor import Predictor
from distml.serve.asgi import App
from distml.serve.service import Service
from distml.serve.terms import Terms
from distml.serve.wire import Limits
from packages import package_of
from services import serving_of

ROW = {"size": 1.0, "colour": "red"}


@dataclass
class Client:
    """What a server hands an application of one request, and what it is answered. Without more chunks it waits."""

    chunks: list[dict[str, Any]]
    sent: list[Mapping[str, Any]] = field(default_factory=list)
    num_read: int = 0

    async def receive(self) -> dict[str, Any]:
        if self.num_read == len(self.chunks):
            await asyncio.Event().wait()
        self.num_read += 1
        return self.chunks[self.num_read - 1]

    async def send(self, message: Mapping[str, Any]) -> None:
        self.sent.append(message)

    @property
    def status(self) -> int:
        return self.sent[0]["status"]

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode(): value.decode() for name, value in self.sent[0]["headers"]}

    @property
    def kind(self) -> str:
        return orjson.loads(self.sent[1]["body"])["type"].removeprefix("urn:distml:problem:")


def part(body: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


@pytest.fixture(scope="module")
def service() -> Service:
    service = Service("shop", Terms(limits=Limits(max_body_bytes=1000)))
    service.swap(serving_of(Predictor(package_of("binary", epochs=1))))
    return service


def answered(
    app: App, *chunks: dict[str, Any], method: str = "POST", path: str = "/shop/predict",
    headers: Mapping[str, str] | None = None,
) -> Client:  # fmt: skip
    client = Client(list(chunks))
    raw = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
    scope = {"type": "http", "method": method, "path": path, "root_path": "/shop", "headers": raw}
    asyncio.run(app(scope, client.receive, client.send))
    return client


def test_a_body_may_come_in_parts(service):
    body = orjson.dumps(ROW)
    client = answered(App(service), part(body[:5], more=True), part(body[5:7], more=True), part(body[7:]))
    assert client.status == 200
    assert client.headers["content-length"] == str(len(client.sent[1]["body"]))
    assert client.headers["content-type"] == "application/json"
    assert client.headers["x-model-version"] == "1"
    assert len(client.sent) == 2


def test_a_body_that_says_it_is_too_large_is_not_read(service):
    client = answered(App(service), headers={"content-length": "1001"})
    assert (client.status, client.kind, client.num_read) == (413, "body-too-large", 0)
    assert client.headers["connection"] == "close"


def test_a_body_that_is_too_large_is_read_no_further(service):
    client = answered(App(service), *[part(b" " * 400, more=True)] * 9)
    assert (client.status, client.num_read) == (413, 3)


@pytest.mark.parametrize("length", ["9" * 5000, "-1", "x", ""])
def test_a_length_that_is_none_harms_nobody(service, length):
    client = answered(App(service), part(orjson.dumps(ROW)), headers={"content-length": length})
    assert client.status == (413 if length.isdigit() else 200)


def test_a_body_that_does_not_arrive_is_408(service):
    client = answered(App(service, body_timeout_s=0.01), part(b"{", more=True))
    assert (client.status, client.kind, client.headers["connection"]) == (408, "slow-body", "close")


def test_a_client_that_goes_away_has_no_place_any_more(service):
    client = answered(App(service), part(b"{", more=True), {"type": "http.disconnect"})
    assert client.kind == "client-disconnected"
    assert service.gauges()["ongoing"] == 0


def test_a_request_that_the_server_cancels_has_no_place_any_more(service):
    async def cancelled() -> None:
        client = Client([part(b"{", more=True)])
        scope = {"type": "http", "method": "POST", "path": "/predict", "headers": []}
        request = asyncio.ensure_future(App(service)(scope, client.receive, client.send))
        while not client.num_read:
            await asyncio.sleep(0)
        assert service.gauges()["ongoing"] == 1
        request.cancel()
        await asyncio.wait([request])

    asyncio.run(cancelled())
    assert service.gauges()["ongoing"] == 0


def test_a_head_has_the_headers_of_a_get_and_no_body(service):
    get, head = (answered(App(service), method=method, path="/shop/schema") for method in ("GET", "HEAD"))
    assert {**get.headers, "x-request-id": ""} == {**head.headers, "x-request-id": ""}
    assert head.sent[1]["body"] == b""
    assert get.sent[1]["body"]


def test_the_request_id_can_be_left_to_the_server(service):
    assert "x-request-id" in answered(App(service), path="/shop/healthz", method="GET").headers
    app = App(service, adds_request_id=False)
    assert "x-request-id" not in answered(app, path="/shop/healthz", method="GET").headers


def test_the_end_of_the_server_is_waited_for(service):
    closed = []

    async def close() -> None:
        closed.append(True)

    client = Client([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])
    asyncio.run(App(service, close=close)({"type": "lifespan"}, client.receive, client.send))
    assert [message["type"] for message in client.sent] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert closed == [True]


def test_websockets_are_not_taken(service):
    client = Client([])
    asyncio.run(App(service)({"type": "websocket"}, client.receive, client.send))
    assert client.sent == [{"type": "websocket.close"}]
