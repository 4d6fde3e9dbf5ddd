"""`Service`: what a replica does with a request, without Ray or HTTP: who asks, what, by when, and who answers.

What answers is one reference, swapped as a whole: a request keeps the versions that it began with.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from distml.serve import about, cors
from distml.serve.admission import Admission, Place, overloaded
from distml.serve.feedback.log import FeedbackLog
from distml.serve.feedback.request import keep_labels, labels_of
from distml.serve.predicting.worker import Busy, Worker
from distml.serve.terms import Terms
from distml.serve.tokens.auth import Tokens
from distml.serve.versions.answering import FEW, Answering, Fault
from distml.serve.versions.current import Current
from distml.serve.versions.live import Live, Serving
from distml.serve.versions.shadow import Shadowing
from distml.serve.wire import Answered, Asked, Problem, Reply, find
from distml.serve.wire.request_id import request_id_of
from distml.window import Window

_LIGHT_BYTES = 64 << 10  # of a body that is read between two turns of the event loop
_MAX_TABLES = 32  # requests that wait for the worker

T = TypeVar("T")
Read = Callable[[Place], Awaitable[bytes]]
"""Reads a request's body, and holds its bytes in the request's place. Raises `Problem` 408, 413 or 503."""


@dataclass(eq=False, kw_only=True)
class _Request:
    """One request under way. live: the version that answers it, as soon as that is known and may be told; is_counted:
    whether it asks for predictions."""

    method: str
    path: str
    headers: Mapping[str, str]
    read: Read
    id: str
    live: Live | None = None
    is_counted: bool = False


Metrics = Callable[[Mapping[str, str]], Awaitable[Reply]]
"""Answers `/metrics`, given the request's headers. Raises `Problem`."""


class Service:
    """Answers requests for one model.

    `handle` runs on one event loop; `swap`, `take_windows` and `gauges` may be called from other threads.
    feedback: keeps the labels told at `/feedback`; metrics: answers at `/metrics`; without them there is no such path.
    """

    def __init__(
        self, name: str, terms: Terms | None = None, tokens: Tokens | None = None, *,
        feedback: FeedbackLog | None = None, metrics: Metrics | None = None,
    ) -> None:  # fmt: skip
        self.name = name
        self.terms = terms or Terms()
        self.tokens = tokens or Tokens.open()
        self._feedback = feedback
        self._metrics = metrics
        self._admission = Admission(max_requests=self.terms.max_queued, max_bytes=self.terms.max_bytes)
        self._worker = Worker(max_waiting=_MAX_TABLES)
        self._answering = Answering(self._worker)
        self._shadowing = Shadowing(self._worker)
        self._current = Current(kept_s=self.terms.timeout_s)

    @property
    def serving(self) -> Serving | None:
        """Who answers, None before the first version."""
        return self._current.now

    def swap(self, serving: Serving) -> None:
        """Makes loaded versions the ones that answer. The caller has replayed their golden rows."""
        self._current.swap(serving)

    def take_windows(self, *, is_last: bool = False) -> list[Window]:
        """What was served: `Current.take_windows`."""
        return self._current.take_windows(is_last=is_last)

    def gauges(self) -> dict[str, float]:
        """What is under way now."""
        return {"ongoing": self._admission.num_requests, "queued": self._worker.num_waiting}

    async def settled(self) -> None:
        """Returns when shadows have been asked whatever they were still to be."""
        await self._shadowing.settled()

    async def handle(self, method: str, path: str, headers: Mapping[str, str], read: Read) -> Reply:
        """Answers one request, whatever a client sent. path: below the model's route; headers: names in lower case."""
        started = time.perf_counter()
        request = _Request(method=method, path=path, headers=headers, read=read, id=request_id_of(headers))
        problem: Problem | None = None
        try:
            reply = await self._reply(request)
        except Problem as raised:
            problem, reply = raised, raised.reply(request.id)
        except Exception:  # nothing that a client sends is to come here: it is ours
            logging.getLogger(__name__).exception("%s %s failed", method, path)
            problem = Problem(500, "internal-error", "this service failed on the request")
            reply = problem.reply(request.id)
        self._count(request, problem, (time.perf_counter() - started) * 1000)
        reply.headers["X-Request-Id"] = request.id
        if request.live is not None:
            reply.headers["X-Model-Version"] = str(request.live.number)
        if self.terms.cors is not None:
            reply.headers.update(cors.headers(headers.get("origin"), self.terms.cors))
        return reply

    def _count(self, request: _Request, problem: Problem | None, milliseconds: float) -> None:
        """Notes predictions, and all that went wrong, with the version that it was asked of."""
        serving = self.serving
        live = request.live or (serving.main if serving is not None else None)
        if live is not None and (request.is_counted or problem is not None):
            kind = None if problem is None else problem.kind
            live.seen.request(milliseconds, kind, is_fault=isinstance(problem, Fault))

    async def _reply(self, request: _Request) -> Reply:
        if request.method == "OPTIONS" and "access-control-request-method" in request.headers:
            allowed = cors.preflight(request.headers.get("origin"), self.terms.cors)
            if allowed:
                return Reply(204, b"", headers=allowed)
        asked = self._asked(request)
        name = asked.endpoint.name
        if name in about.OPEN:
            return about.as_json(about.OPEN[name])
        with self._admission.place() as place:
            if name == "metrics":
                return await self._measured(request)
            serving = self._ready(request, asked)
            if asked.takes_rows:
                request.is_counted = True
                return await self._in_time(request, asked, serving, place)
            if name == "feedback":
                return await self._labelled(request, serving, place)
            return await self._told(request, asked)

    def _asked(self, request: _Request) -> Asked:
        """What is asked, by who may. Whoever has no token learns nothing else, not even what isn't there."""
        try:
            asked = find(request.method, request.path, request.headers)
        except Problem:
            self._require_known(request)
            raise
        if asked.endpoint.scope is not None:
            self.tokens.authorize(request.headers, asked.endpoint.scope)
        return asked

    def _require_known(self, request: _Request) -> None:
        try:
            self.tokens.authorize(request.headers, "predict")
        except Problem as denied:
            if denied.status == 401:
                raise

    def _ready(self, request: _Request, asked: Asked) -> Serving:
        """Who answers now. The request's version, until it is assigned one, is what its path names, or main."""
        serving = self.serving
        if serving is None:
            raise Problem(503, "not-ready", "no version is loaded yet")
        if asked.model not in (None, self.name):
            raise Problem(404, "not-found", f"the model here is {self.name}")
        if asked.version is not None and asked.version not in serving.by_number:
            raise Problem(404, "not-found", f"version {asked.version} is not loaded here")
        if asked.endpoint.scope is not None or self.tokens.is_open:
            request.live = serving.main if asked.version is None else serving.by_number[asked.version]
        return serving

    async def _told(self, request: _Request, asked: Asked) -> Reply:
        name, live = asked.endpoint.name, request.live
        if live is None:  # to whoever has no token: nothing of the model
            return about.as_json({"status": "ready", "ready": True})
        if name in about.LONG and name not in live.told:
            try:
                await self._worker.run(lambda: about.told(name, self.name, live))
            except Busy:
                raise _full() from None
        return about.told(name, self.name, live)

    async def _measured(self, request: _Request) -> Reply:
        if self._metrics is None:
            raise Problem(404, "not-found", "there are no metrics here")
        return await self._metrics(request.headers)

    async def _labelled(self, request: _Request, serving: Serving, place: Place) -> Reply:
        if self._feedback is None:
            raise Problem(404, "not-found", "no labels are kept here")
        live, limits, body = serving.main, self.terms.limits, await request.read(place)
        try:
            labels = await self._read(
                body, request.headers, lambda: labels_of(body, request.headers, live.predictor, limits)
            )
        except Busy:
            raise _full() from None
        return await keep_labels(self._feedback, labels, self._answered(request, live))

    def _answered(self, request: _Request, live: Live) -> Answered:
        return Answered(name=self.name, version=live.number, request_id=request.id)

    async def _in_time(self, request: _Request, asked: Asked, serving: Serving, place: Place) -> Reply:
        """A prediction, or the 504 that it was too late for."""
        seconds = self.terms.seconds(request.headers)
        deadline = asyncio.get_running_loop().time() + seconds
        if asked.version is None:
            request.live = serving.assigned(serving.traffic.key_of(request.headers, request.id))
        try:
            return await self._predicted(request, asked, serving, await request.read(place), deadline)
        except TimeoutError:
            raise Problem(504, "deadline-exceeded", f"there is no answer within {seconds:g} s") from None
        except Busy:
            raise _full() from None

    async def _predicted(
        self, request: _Request, asked: Asked, serving: Serving, body: bytes, deadline: float
    ) -> Reply:
        assert request.live is not None, "assigned before"
        schema, limits = request.live.predictor.schema, self.terms.limits
        rows = await self._read(
            body, request.headers, lambda: asked.read(body, request.headers, schema, limits), deadline
        )
        request.live, prediction = await self._answering.predict(serving, request.live, rows, deadline)
        for column, count in rows.ignored.items():
            request.live.seen.ignored(column, count)
        for column, count in rows.absent.items():
            request.live.seen.absent(column, count)
        answered = self._answered(request, request.live)
        if rows.num_rows <= FEW:
            reply = asked.write(prediction, rows, answered)
        else:
            reply = await self._worker.run(lambda: asked.write(prediction, rows, answered), deadline)
        if serving.shadow is not None:
            self._shadowing.ask(serving.shadow, rows, prediction)
        return reply

    async def _read(
        self, body: bytes, headers: Mapping[str, str], work: Callable[[], T], deadline: float = float("inf")
    ) -> T:
        """What a body says; on the worker where reading it would keep others waiting."""
        if len(body) <= _LIGHT_BYTES and "content-encoding" not in headers:
            return work()
        return await self._worker.run(work, deadline)


def _full() -> Problem:
    return overloaded(f"{_MAX_TABLES} tables wait here already")
