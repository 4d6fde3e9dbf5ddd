import contextlib
import json

import orjson
import pytest
from hypothesis import given

from contracts.format import JSON_VALUES, many
from distml.errors import DataError
from distml.serve.wire import (
    Answered,
    Label,
    Limits,
    Problem,
    accepted_reply,
    is_request_id,
    read_labels,
    request_id_of,
)
from distml.serve.wire.feedback import problem_of_label

LIMITS = Limits(max_rows=5)


def read(document):
    return read_labels(orjson.dumps(document), {}, LIMITS)


def refused(document) -> Problem:
    with pytest.raises(Problem) as caught:
        read(document)
    return caught.value


def label(value, row=0, request_id="a", entry=None):
    return Label(request_id=request_id, row=row, label=value, entry=row if entry is None else entry)


def test_labels_of_one_request_by_their_place():
    assert read({"request_id": "a", "labels": ["yes", "no"]}) == [label("yes"), label("no", 1)]


def test_labels_that_are_not_known_yet_are_left_out():
    assert read({"request_id": "a", "labels": [None, "no", None]}) == [label("no", 1)]


def test_labels_of_many_requests():
    entries = [{"request_id": "a", "row": 3, "label": "yes"}, {"request_id": "b", "label": "no"}]
    assert read({"feedback": entries}) == [label("yes", 3, entry=0), label("no", 0, "b", entry=1)]


def test_what_is_told_is_not_judged_here():
    for told in ("yes", 1, -0.5, True, [1], {}):
        assert read({"request_id": "a", "labels": [told]}) == [label(told)]


def test_what_is_wrong_with_a_label_names_its_entry():
    error = DataError("a label is a number", received="'x'", where=label("x", 3, entry=7).where)
    problem = problem_of_label(error)
    assert (problem.status, problem.kind) == (422, "invalid-feedback")
    assert problem.members == {"received": "'x'", "allowed": "a label is a number", "entry": 7}


@pytest.mark.parametrize(
    "entry",
    [{"row": 0, "label": "yes"}, {"request_id": "", "label": "yes"}, {"request_id": "a b", "label": "yes"},
     {"request_id": "a\n", "label": "yes"}, {"request_id": "x" * 129, "label": "yes"},
     {"request_id": 3, "label": "yes"},
     {"request_id": "a", "row": -1, "label": "yes"}, {"request_id": "a", "row": 5, "label": "yes"},
     {"request_id": "a", "row": 1.0, "label": "yes"}, {"request_id": "a", "row": True, "label": "yes"},
     {"request_id": "a", "row": 0}, "a", None, []],
)  # fmt: skip
def test_an_entry_that_is_none_is_named(entry):
    problem = refused({"feedback": [{"request_id": "a", "label": "yes"}, entry]})
    assert (problem.status, problem.members["entry"]) == (422, 1)


@pytest.mark.parametrize(
    ("document", "status"),
    [(None, 422), ([], 422), ({}, 422), ({"labels": ["yes"]}, 422), ({"feedback": {}}, 422), ({"feedback": []}, 422),
     ({"request_id": "a", "labels": []}, 422), ({"request_id": "a", "labels": [None]}, 422),
     ({"request_id": "a", "labels": ["yes"], "more": 1}, 422), ({"request_id": "a", "labels": ["yes"] * 6}, 413)],
)  # fmt: skip
def test_other_bodies_are_problems(document, status):
    assert refused(document).status == status


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'{"request_id": "a", "labels": [NaN]}'])
def test_what_is_no_json_is_400(body):
    with pytest.raises(Problem) as caught:
        read_labels(body, {}, LIMITS)
    assert (caught.value.status, caught.value.kind) == (400, "invalid-json")


@given(JSON_VALUES)
@many(100)
def test_any_json_is_read_or_refused(document):
    for whole in (document, {"feedback": document}, {"request_id": "a", "labels": document}):
        with contextlib.suppress(Problem):
            assert read_labels(json.dumps(whole).encode(), {}, LIMITS)


def test_feedback_is_accepted():
    reply = accepted_reply(3, "log/m/1.parquet", Answered(name="m", version=1, request_id="z"))
    told = {"accepted": 3, "segment": "log/m/1.parquet", "request_id": "z"}
    assert (reply.status, orjson.loads(reply.body)) == (202, told)


def test_a_request_keeps_its_own_id_where_it_is_one():
    assert request_id_of({"x-request-id": "abc-1"}) == "abc-1"
    for other in ("", "x" * 129, "a b", "a\r\nSet-Cookie: b", "ü", "a\n"):
        drawn = request_id_of({"x-request-id": other})
        assert drawn != other
        assert is_request_id(drawn)
    assert request_id_of({}) != request_id_of({})
