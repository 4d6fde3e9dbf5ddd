"""What goes over HTTP: requests into rows, predictions and problems into answers. It knows nothing of models or Ray."""

from distml.serve.wire.body import too_large
from distml.serve.wire.endpoints import ENDPOINTS, Asked, Endpoint, find
from distml.serve.wire.format import Answered, Format, Rows
from distml.serve.wire.limits import Limits
from distml.serve.wire.predict import parse_rows, predictions_document
from distml.serve.wire.problem import JSON, PROBLEM, Problem, Reply, busy, problem_of, problem_of_finding

__all__ = [
    "ENDPOINTS",
    "JSON",
    "PROBLEM",
    "Answered",
    "Asked",
    "Endpoint",
    "Format",
    "Limits",
    "Problem",
    "Reply",
    "Rows",
    "busy",
    "find",
    "parse_rows",
    "predictions_document",
    "problem_of",
    "problem_of_finding",
    "too_large",
]
