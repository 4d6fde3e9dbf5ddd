"""Requests that only a socket can send: broken, slow, ambiguous. Each with the statuses that may answer it."""

from __future__ import annotations

import contextlib
import http.client
import io
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

PROBLEM = "application/problem+json"


@dataclass(frozen=True, kw_only=True)
class Raw:
    """What is sent, piece by piece. pause_s: between two pieces; ends: hangs up its own side after the last one;
    statuses: of the answers, in their order, None where the connection is closed without one."""

    name: str
    pieces: Sequence[bytes]
    statuses: tuple[int | None, ...]
    pause_s: float = 0.0
    ends: bool = False

    def __str__(self) -> str:
        return self.name


@dataclass
class Answer:
    status: int
    content_type: str | None
    body: bytes

    @property
    def document(self) -> Any:
        return orjson.loads(self.body)


def raw_requests(route: str, row: dict[str, Any]) -> list[Raw]:
    """route: of the service; row: one that it predicts."""
    body = orjson.dumps(row)
    post = b"POST %s/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" % route.encode()
    good = post + b"Content-Length: %d\r\n\r\n" % len(body) + body
    return [*_broken(post, body), *_ambiguous(post, body), *_slow(post), *_long(post), *_allowed(good, route)]


def _broken(post: bytes, body: bytes) -> Iterator[Raw]:
    def one(name: str, sent: bytes, status: int | None = 400, ends: bool = False) -> Raw:
        return Raw(name=name, pieces=[sent], statuses=(status,), ends=ends)

    yield one("no HTTP", b"nonsense\r\n\r\n")
    yield one("HTTP 0.9", b"GET /\r\n\r\n")
    yield one("HTTP 9.9", b"GET / HTTP/9.9\r\n\r\n", 404)
    yield one("TLS where none is spoken", bytes.fromhex("16030100a5010000a10303") + bytes(160))
    yield one("a header without a colon", post + b"nonsense\r\n\r\n")
    yield one("a header with a zero", post + b"A: \x00\r\n\r\n")
    yield one("a header's name with a space", post + b"Content-Length : 2\r\n\r\n{}")
    yield one("a length that is none", post + b"Content-Length: two\r\n\r\n{}")
    yield one("a negative length", post + b"Content-Length: -1\r\n\r\n{}")
    yield one("a length beyond 64 bits", post + b"Content-Length: 99999999999999999999999\r\n\r\n{}")
    yield one("a chunk whose size is none", post + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n")
    yield one("a chunk beyond 64 bits", post + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{}")
    yield one("a body that is cut off", post + b"Content-Length: %d\r\n\r\n" % len(body) + body[:9], None, ends=True)
    yield one("no body", post + b"\r\n")
    yield one("nothing", b"", None, ends=True)


def _ambiguous(post: bytes, body: bytes) -> Iterator[Raw]:
    """Where one reader could see one request and another two."""
    inner = b"GET /-/routes HTTP/1.1\r\nHost: localhost\r\n\r\n"
    chunked = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    yield Raw(
        name="two lengths",
        statuses=(400, None),
        pieces=[post + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}" + inner],
    )
    yield Raw(
        name="a length and chunks", statuses=(200, None),
        pieces=[post + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked + inner],
    )  # fmt: skip
    for coding, status in {
        b"xchunked": 400,
        b"identity": 400,
        b"chunked, identity": 400,
        b"gzip, chunked": 422,
    }.items():
        yield Raw(
            name=f"the transfer coding {coding.decode()}", statuses=(status, None),
            pieces=[post + b"Transfer-Encoding: %b\r\n\r\n" % coding + chunked + inner],
        )  # fmt: skip


def _slow(post: bytes) -> Iterator[Raw]:
    yield Raw(name="headers that drip", pieces=[bytes([sign]) for sign in post], pause_s=0.1, statuses=(408,))
    yield Raw(name="headers that stop", pieces=[post], statuses=(408,))
    drip = [b" "] * 100
    yield Raw(name="a body that drips", pieces=[post + b"Content-Length: 100\r\n\r\n", *drip], pause_s=0.1,
              statuses=(408,))  # fmt: skip
    long = post + b"Content-Length: 1000000\r\n\r\n" + b" " * 200_000
    yield Raw(name="a long body that drips", pieces=[long, *drip], pause_s=0.1, statuses=(408,))
    yield Raw(name="a long body that stops", pieces=[long], statuses=(408,))
    chunks = post + b"Transfer-Encoding: chunked\r\n\r\n"
    yield Raw(name="chunks that drip", pieces=[chunks, *[b"1\r\n \r\n"] * 100], pause_s=0.1, statuses=(408,))


def _long(post: bytes) -> Iterator[Raw]:
    megabyte = b" " * (1 << 20)
    yield Raw(
        name="100 MB with a length", pieces=[post + b"Content-Length: 104857600\r\n\r\n", *[megabyte] * 100],
        statuses=(413,),
    )  # fmt: skip
    chunk = b"100000\r\n" + megabyte + b"\r\n"
    yield Raw(
        name="100 MB in chunks", pieces=[post + b"Transfer-Encoding: chunked\r\n\r\n", *[chunk] * 100],
        statuses=(413,),
    )  # fmt: skip
    small = b"1\r\n \r\n" * 10_000
    yield Raw(
        name="a million chunks of a byte", pieces=[post + b"Transfer-Encoding: chunked\r\n\r\n", *[small] * 100,
                                                   b"0\r\n\r\n"],
        statuses=(400,),
    )  # fmt: skip
    yield Raw(name="20 KB of headers", pieces=[post + b"A: %b\r\n" % (b"x" * 9_000) * 2 + b"\r\n"], statuses=(431,))
    yield Raw(name="10,000 headers", pieces=[post + b"A: 1\r\n" * 10_000 + b"\r\n"], statuses=(400,))


def _allowed(good: bytes, route: str) -> Iterator[Raw]:
    bad = good.replace(b"/predict", b"/nothing")
    yield Raw(name="pipelined requests", pieces=[good + bad + good], statuses=(200, 404, 200))
    # Who hangs up its own side is taken for gone: the place of a client that died is free at once.
    yield Raw(name="hangs up its side after its request", pieces=[good], statuses=(400,), ends=True)
    trace = b"TRACE %s/predict HTTP/1.1\r\nHost: localhost\r\n\r\n" % route.encode()
    yield Raw(name="TRACE", pieces=[trace], statuses=(405,))
    yield Raw(name="CONNECT", pieces=[b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com\r\n\r\n"],
              statuses=(404,))  # fmt: skip


def answers_to(port: int, raw: Raw, timeout_s: float = 30.0) -> list[Answer | None]:
    """As many answers as are expected, and None for a connection that was closed without one."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout_s) as connection:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it was refused before its end
            for piece in raw.pieces:
                connection.sendall(piece)
                if raw.pause_s:
                    time.sleep(raw.pause_s)
            if raw.ends:
                connection.shutdown(socket.SHUT_WR)
        return [_answer(connection) for _ in raw.statuses]


class _Kept(socket.SocketIO):
    """Stays open for the next answer."""

    def close(self) -> None:
        pass


class _Stream:
    """What http.client reads an answer from, byte by byte, so that it takes nothing of the next."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def makefile(self, *_: Any) -> Any:
        return io.BufferedReader(_Kept(self._connection, "r"), 1)


def _answer(connection: socket.socket) -> Answer | None:
    answer = http.client.HTTPResponse(_Stream(connection))  # type: ignore[arg-type]
    try:
        answer.begin()
        body = answer.read()
    except (http.client.RemoteDisconnected, http.client.BadStatusLine, ConnectionResetError):
        return None
    return Answer(answer.status, answer.headers["Content-Type"], body)
