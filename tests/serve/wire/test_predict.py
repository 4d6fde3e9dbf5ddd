import orjson
import pytest

from distml.errors import DataError
from distml.postprocess import Prediction
from distml.serve.wire import Problem, parse_rows, predictions_document, problem_of


@pytest.mark.parametrize(
    ("body", "rows"),
    [
        (b'{"rows": [{"a": 1}, {"a": 2}]}', [{"a": 1}, {"a": 2}]),
        (b'{"a": 1}', [{"a": 1}]),
        (b'{"rows": 3}', [{"rows": 3}]),  # a bare row of a table with a column `rows`
        (b'{"rows": [1]}', [1]),  # not a row; reading it says so, with its number
    ],
)
def test_rows_are_wrapped_or_one_bare_row(body: bytes, rows: list[object]) -> None:
    assert parse_rows(body, 10) == rows


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        (b"", 400, "invalid-json"),
        (b"{", 400, "invalid-json"),
        (b"\xff\xfe", 400, "invalid-json"),
        (b'{"a": NaN}', 400, "invalid-json"),
        (b'{"a": Infinity}', 400, "invalid-json"),
        (b'{"a": 1} x', 400, "invalid-json"),
        (b"[" * 5000, 400, "invalid-json"),
        (b"[]", 422, "invalid-body"),
        (b"null", 422, "invalid-body"),
        (b'"text"', 422, "invalid-body"),
        (b'{"rows": []}', 422, "invalid-body"),
        (b'{"rows": [{}, {}, {}]}', 413, "too-many-rows"),
    ],
)
def test_other_bodies_are_problems(body: bytes, status: int, kind: str) -> None:
    with pytest.raises(Problem) as caught:
        parse_rows(body, 2)
    assert (caught.value.status, caught.value.kind) == (status, kind)


def test_a_problem_is_rfc_9457_and_carries_error_for_open_inference_clients() -> None:
    error = DataError("a number or null", received="'x'", where="row 3, column age")
    reply = problem_of(error).reply("id-1")
    document = orjson.loads(reply.body)
    assert reply.status == document["status"] == 422
    assert reply.content_type == "application/problem+json"
    assert document["type"] == "urn:distml:problem:invalid-row"
    assert document["detail"] == document["error"] == str(error)
    assert (document["row"], document["column"], document["received"]) == (3, "age", "'x'")
    assert document["request_id"] == "id-1"


def test_probabilities_are_named_by_label(binary_prediction: Prediction) -> None:
    assert predictions_document(binary_prediction) == {
        "predictions": [True],
        "probabilities": [{"false": 0.25, "true": 0.75}],
    }


@pytest.fixture
def binary_prediction() -> Prediction:
    import numpy as np

    values = np.array([True], object)
    return Prediction(values=values, probabilities=np.array([[0.25, 0.75]]), labels=(False, True))
