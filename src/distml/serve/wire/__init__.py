"""What goes over HTTP: requests into rows, predictions and problems into answers. It knows nothing of models or Ray."""

from distml.serve.wire.format import Answered, Format, Rows
from distml.serve.wire.limits import Limits
from distml.serve.wire.predict import parse_rows, predictions_document
from distml.serve.wire.problem import JSON, PROBLEM, Problem, Reply, problem_of, problem_of_finding

__all__ = [
    "JSON",
    "PROBLEM",
    "Answered",
    "Format",
    "Limits",
    "Problem",
    "Reply",
    "Rows",
    "parse_rows",
    "predictions_document",
    "problem_of",
    "problem_of_finding",
]
