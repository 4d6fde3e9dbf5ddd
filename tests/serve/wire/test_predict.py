import numpy as np
import orjson
import pytest

from distml.errors import DataError
from distml.postprocess import Prediction
from distml.schema import Column, Schema
from distml.serve.wire import Answered, Limits, Problem, Rows, find, problem_of

SCHEMA = Schema((Column(name="a", kind="numeric", dtype="number"),))


def records_of(body: bytes, max_rows: int) -> list[object] | None:
    return find("POST", "/predict", {}).read(body, {}, SCHEMA, Limits(max_rows=max_rows)).records


@pytest.mark.parametrize(
    ("body", "rows"),
    [
        (b'{"rows": [{"a": 1}, {"a": 2}]}', [{"a": 1}, {"a": 2}]),
        (b'{"a": 1}', [{"a": 1}]),
        (b'{"rows": 3}', [{"rows": 3}]),  # a bare row of a table with a column `rows`
    ],
)
def test_rows_are_wrapped_or_one_bare_row(body: bytes, rows: list[object]) -> None:
    assert records_of(body, 10) == rows


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
        records_of(body, 2)
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


ANSWERED = Answered(name="m", version=3, request_id="id-1")
TELLS = {"model": {"name": "m", "version": 3}, "request_id": "id-1"}


def written(prediction: Prediction) -> object:
    return orjson.loads(find("POST", "/predict", {}).write(prediction, Rows(records=[{}]), ANSWERED).body)


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        ((False, True), ["false", "true"]),
        ((1, 2), ["1", "2"]),
        (("50%", "%b"), ["50%", "%b"]),
        (('"', "\\"), ['"', "\\"]),
    ],
)
def test_probabilities_are_named_by_label(labels: tuple[object, ...], names: list[str]) -> None:
    values = np.array([labels[1], labels[0]], object)
    prediction = Prediction(values=values, probabilities=np.array([[0.25, 0.75], [1.0, 1e-300]]), labels=labels)
    shares = [{names[0]: 0.25, names[1]: 0.75}, {names[0]: 1.0, names[1]: 1e-300}]
    assert written(prediction) == {"predictions": list(values), "probabilities": shares, **TELLS}


def test_numbers_have_no_probabilities() -> None:
    prediction = Prediction(values=np.array([1.5, -2.0]), probabilities=None, labels=None)
    assert written(prediction) == {"predictions": [1.5, -2.0], **TELLS}


def test_a_row_that_is_none_is_named() -> None:
    with pytest.raises(Problem) as caught:
        records_of(b'{"rows": [{"a": 1}, [4111]]}', 9)
    assert (caught.value.status, caught.value.members["row"], caught.value.members["received"]) == (422, 1, "list")
