"""The endpoints below a model's route: one table of what each takes and gives, and who may ask it.

What can be told from method, path and headers alone is told here, and says nothing of the model. The service calls

    asked = wire.find(method, path, headers)           # Problem 404, 405, 406, 415
    tokens.authorize(headers, asked.endpoint.scope)    # where the scope is not None
    rows = asked.read(body, headers, schema, limits)   # where `asked.takes_rows`; Problem 400, 413, 415, 422
    reply = asked.write(prediction, rows, answered)

and for any other endpoint does what its name says.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from distml.config.auth import Scope
from distml.postprocess import Prediction
from distml.schema import Schema
from distml.serve.wire.arrow import ARROW, Arrow
from distml.serve.wire.body import plain
from distml.serve.wire.csv import CSV, Csv
from distml.serve.wire.format import Answered, Format, Rows
from distml.serve.wire.inference import Inference
from distml.serve.wire.invocations import Invocations
from distml.serve.wire.limits import Limits
from distml.serve.wire.negotiation import accepted, media_type
from distml.serve.wire.predict import Predict
from distml.serve.wire.problem import JSON, Problem, Reply

Name = Literal[
    "predict", "invocations", "infer", "feedback", "schema", "docs", "openapi", "healthz", "readyz", "metrics",
    "v2", "v2_live", "v2_ready", "v2_model", "v2_model_ready",
]  # fmt: skip
_READ = ("GET", "HEAD")


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """One endpoint.

    scope: what a token must allow; None: open to everyone. takes, gives: for endpoints that predict, the formats of
    bodies and of answers by media type, the first of which is meant where a request names none.
    """

    name: Name
    path: str
    methods: tuple[str, ...]
    scope: Scope | None
    summary: str
    takes: Mapping[str, Format] = field(default_factory=dict)
    gives: Mapping[str, Format] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a request asks: an endpoint, with the model and version that its path names (None: it names none)."""

    endpoint: Endpoint
    reader: Format | None = None
    writer: Format | None = None
    model: str | None = None
    version: int | None = None

    @property
    def takes_rows(self) -> bool:
        """Whether the endpoint predicts the rows of a body."""
        return self.reader is not None

    def read(self, body: bytes, headers: Mapping[str, str], schema: Schema, limits: Limits) -> Rows:
        """The rows of a body as it came. Raises `Problem`."""
        assert self.reader is not None, "an endpoint that takes rows"
        return self.reader.read(plain(body, headers, limits), headers, schema, limits)

    def write(self, prediction: Prediction, rows: Rows, answered: Answered) -> Reply:
        """The answer of status 200."""
        assert self.writer is not None, "an endpoint that gives predictions"
        return self.writer.write(prediction, rows, answered)


_PREDICT, _ARROW, _INFERENCE, _INVOCATIONS = Predict(), Arrow(), Inference(), Invocations()
ENDPOINTS = (
    Endpoint(
        name="predict", path="/predict", methods=("POST",), scope="predict", summary="Predict one row or many",
        takes={JSON: _PREDICT, ARROW: _ARROW}, gives={JSON: _PREDICT, ARROW: _ARROW},
    ),
    Endpoint(
        name="invocations", path="/invocations", methods=("POST",), scope="predict",
        summary="Predict what MLflow's scoring server takes",
        takes={JSON: _INVOCATIONS, CSV: Csv()}, gives={JSON: _INVOCATIONS},
    ),
    Endpoint(
        name="feedback", path="/feedback", methods=("POST",), scope="feedback", summary="Tell labels that came later",
    ),
    Endpoint(name="schema", path="/schema", methods=_READ, scope="predict", summary="JSON schema of a row"),
    Endpoint(name="docs", path="/docs", methods=_READ, scope="predict", summary="The endpoints as a page"),
    Endpoint(name="openapi", path="/openapi.json", methods=_READ, scope="predict", summary="The endpoints as OpenAPI"),
    Endpoint(name="healthz", path="/healthz", methods=_READ, scope=None, summary="Whether the process answers"),
    Endpoint(name="readyz", path="/readyz", methods=_READ, scope=None, summary="Whether a version is loaded"),
    Endpoint(name="metrics", path="/metrics", methods=_READ, scope="admin", summary="Counts and times for Prometheus"),
    Endpoint(name="v2", path="/v2", methods=_READ, scope="predict", summary="Open Inference: the server"),
    Endpoint(
        name="v2_live", path="/v2/health/live", methods=_READ, scope=None, summary="Open Inference: the server is alive"
    ),
    Endpoint(
        name="v2_ready", path="/v2/health/ready", methods=_READ, scope=None, summary="Open Inference: it is ready"
    ),
    Endpoint(
        name="v2_model", path="/v2/models/{model}", methods=_READ, scope="predict",
        summary="Open Inference: the model's inputs and outputs",
    ),
    Endpoint(
        name="v2_model_ready", path="/v2/models/{model}/ready", methods=_READ, scope="predict",
        summary="Open Inference: the model is ready",
    ),
    Endpoint(
        name="infer", path="/v2/models/{model}/infer", methods=("POST",), scope="predict",
        summary="Open Inference: predict columns given as tensors",
        takes={JSON: _INFERENCE}, gives={JSON: _INFERENCE},
    ),
)  # fmt: skip
_BY_PATH = {endpoint.path: endpoint for endpoint in ENDPOINTS}
_MODEL = re.compile(r"/v2/models/([^/]{1,256})(?:/versions/([0-9]{1,18}))?(|/ready|/infer)")


def find(method: str, path: str, headers: Mapping[str, str]) -> Asked:
    """What a request asks; headers: names in lower case.

    Raises `Problem` 404 for a path that is none, 405 for a method that it doesn't take, 415 for a body of a media
    type that it doesn't take, 406 where no answer that it gives is accepted.
    """
    endpoint, model, version = _placed(path)
    if method not in endpoint.methods:
        allowed = ", ".join(endpoint.methods)
        detail = f"{endpoint.path} takes {allowed}, received {method[:20]}"
        raise Problem(405, "method-not-allowed", detail, headers={"Allow": allowed}, allowed=list(endpoint.methods))
    if method != "POST":
        return Asked(endpoint=endpoint, model=model, version=version)
    taken = media_type(headers, endpoint.takes or (JSON,))
    given = accepted(headers, endpoint.gives or (JSON,))
    return Asked(
        endpoint=endpoint,
        reader=endpoint.takes.get(taken),
        writer=endpoint.gives.get(given),
        model=model,
        version=version,
    )


def _placed(path: str) -> tuple[Endpoint, str | None, int | None]:
    """The endpoint of a path, and the model and version that it names."""
    endpoint = _BY_PATH.get(path)
    if endpoint is not None and "{" not in path:
        return endpoint, None, None
    match = _MODEL.fullmatch(path)
    if match is None:
        raise Problem(404, "not-found", f"there is no {path[:100]} here", paths=list(_BY_PATH))
    model, version, rest = match.groups()
    return _BY_PATH[f"/v2/models/{{model}}{rest}"], model, None if version is None else int(version)
