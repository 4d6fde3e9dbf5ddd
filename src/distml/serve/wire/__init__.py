"""What goes over HTTP: requests into rows, predictions and problems into answers. It knows nothing of models or Ray."""

from distml.serve.wire.body import too_large
from distml.serve.wire.endpoints import ENDPOINTS, Asked, Endpoint, find
from distml.serve.wire.feedback import Label, accepted_reply, read_labels
from distml.serve.wire.format import Answered, Format, Rows
from distml.serve.wire.inference import (
    live_document,
    model_document,
    model_ready_document,
    ready_document,
    server_document,
)
from distml.serve.wire.limits import Limits
from distml.serve.wire.problem import JSON, PROBLEM, Problem, Reply, busy, problem_of, problem_of_finding
from distml.serve.wire.request_id import is_request_id, request_id_of

__all__ = [
    "ENDPOINTS",
    "JSON",
    "PROBLEM",
    "Answered",
    "Asked",
    "Endpoint",
    "Format",
    "Label",
    "Limits",
    "Problem",
    "Reply",
    "Rows",
    "accepted_reply",
    "busy",
    "find",
    "is_request_id",
    "live_document",
    "model_document",
    "model_ready_document",
    "problem_of",
    "problem_of_finding",
    "read_labels",
    "ready_document",
    "request_id_of",
    "server_document",
    "too_large",
]
