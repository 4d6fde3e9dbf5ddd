"""`/feedback`: labels of earlier requests, checked against the model's target and kept before they are acknowledged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from distml.errors import DataError, StorageError
from distml.predictor import Predictor
from distml.serve.feedback.labels import CheckedLabel, checked
from distml.serve.feedback.log import FeedbackLog
from distml.serve.wire import Answered, Limits, Problem, Reply, busy
from distml.serve.wire.feedback import accepted_reply, problem_of_label, read_labels

_RETRY_AFTER_S = 5


def labels_of(body: bytes, headers: Mapping[str, str], predictor: Predictor, limits: Limits) -> list[CheckedLabel]:
    """The labels of a body as it came. Raises `Problem` 400, 413, 415, or 422 naming the entry."""
    told = read_labels(body, headers, limits)
    try:
        return checked(told, predictor.package, lambda place: told[place].where)
    except DataError as error:
        raise problem_of_label(error) from None


async def keep_labels(log: FeedbackLog, labels: Sequence[CheckedLabel], answered: Answered) -> Reply:
    """The answer to labels once they are durable. Raises `Problem` 503 where they can't be kept: none of them is
    then."""
    try:
        segment = await log.add(labels)
    except StorageError as error:
        raise _unkept(error) from error
    return accepted_reply(len(labels), segment, answered)


def _unkept(error: StorageError) -> Problem:
    return busy(503, "feedback-not-kept", f"the labels are not kept: {error.rule}", _RETRY_AFTER_S)
