"""`/feedback`: labels of earlier requests, checked against the model's target and kept before they are acknowledged."""

from __future__ import annotations

from collections.abc import Mapping

from distml.errors import DataError, StorageError
from distml.predictor import Predictor
from distml.serve.feedback import FeedbackLog
from distml.serve.labels import checked
from distml.serve.wire import Answered, Limits, Problem, Reply, busy, problem_of
from distml.serve.wire.feedback import accepted_reply, read_labels

_RETRY_AFTER_S = 5


async def keep_labels(
    log: FeedbackLog, predictor: Predictor, body: bytes, headers: Mapping[str, str], limits: Limits, answered: Answered
) -> Reply:
    """The answer to a body of labels once they are durable. Raises `Problem` 400, 413 or 422 for labels that are none,
    503 where they can't be kept: none of them is then."""
    target, column = predictor.package.postprocess.target, predictor.schema.target
    try:
        labels = checked(read_labels(body, headers, target, limits, is_private=column.private), predictor.package)
    except DataError as error:
        raise problem_of(error) from None
    try:
        await log.add(labels)
    except StorageError as error:
        raise _unkept(error) from error
    return accepted_reply(len(labels), answered)


def _unkept(error: StorageError) -> Problem:
    return busy(503, "feedback-not-kept", f"the labels are not kept: {error.rule}", _RETRY_AFTER_S)
