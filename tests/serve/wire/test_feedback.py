import contextlib
import json

import orjson
import pytest
from hypothesis import given

from contracts.format import JSON_VALUES, many
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
from distml.target import ClassTarget, NumericTarget

CLASSES = ClassTarget(labels=("no", "yes"))
TRUTHS = ClassTarget(labels=(False, True))
DIGITS = ClassTarget(labels=(0, 1, 2))
NUMBER = NumericTarget(mean=0.0, scaling=None)
LIMITS = Limits(max_rows=5)


def read(document, target=CLASSES, **more):
    return read_labels(orjson.dumps(document), {}, target, LIMITS, **more)


def refused(document, target=CLASSES, **more) -> Problem:
    with pytest.raises(Problem) as caught:
        read(document, target, **more)
    return caught.value


def label(value, row=0, request_id="a"):
    return Label(request_id=request_id, row=row, label=value)


def test_labels_of_one_request_by_their_place():
    assert read({"request_id": "a", "labels": ["yes", "no"]}) == [label("yes"), label("no", 1)]


def test_labels_that_are_not_known_yet_are_left_out():
    assert read({"request_id": "a", "labels": [None, "no", None]}) == [label("no", 1)]


def test_labels_of_many_requests():
    entries = [{"request_id": "a", "row": 3, "label": "yes"}, {"request_id": "b", "label": "no"}]
    assert read({"feedback": entries}) == [label("yes", 3), label("no", 0, "b")]


@pytest.mark.parametrize(
    ("target", "given", "wanted"),
    [
        (CLASSES, "yes", "yes"), (TRUTHS, True, True), (TRUTHS, "false", False), (DIGITS, 2, 2), (DIGITS, "1", 1),
        (DIGITS, 1.0, 1), (NUMBER, 3, 3.0), (NUMBER, -0.5, -0.5),
    ],
)  # fmt: skip
def test_a_label_is_of_the_targets_own_type(target, given, wanted):
    (known,) = read({"request_id": "a", "labels": [given]}, target)
    assert (known.label, type(known.label)) == (wanted, type(wanted))


@pytest.mark.parametrize(
    ("target", "given"),
    [(CLASSES, "maybe"), (CLASSES, 1), (CLASSES, ["yes"]), (CLASSES, {}), (TRUTHS, 1), (DIGITS, 3), (DIGITS, True),
     (NUMBER, "3"), (NUMBER, True), (NUMBER, [])],
)  # fmt: skip
def test_a_label_that_is_none_is_named_by_its_entry(target, given):
    problem = refused({"request_id": "a", "labels": [None, given]}, target)
    assert (problem.status, problem.kind, problem.members["entry"]) == (422, "invalid-feedback", 1)
    assert problem.members["received"] == repr(given)
    assert refused({"request_id": "a", "labels": [given]}, target, is_private=True).members["received"] == "(private)"


@pytest.mark.parametrize(
    "entry",
    [{"row": 0, "label": "yes"}, {"request_id": "", "label": "yes"}, {"request_id": "a b", "label": "yes"},
     {"request_id": "a\n", "label": "yes"}, {"request_id": "x" * 129, "label": "yes"},
     {"request_id": 3, "label": "yes"},
     {"request_id": "a", "row": -1, "label": "yes"}, {"request_id": "a", "row": 5, "label": "yes"},
     {"request_id": "a", "row": 1.0, "label": "yes"}, {"request_id": "a", "row": True, "label": "yes"},
     {"request_id": "a", "row": 0}, {"request_id": "a", "label": None}, "a", None, []],
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
        read_labels(body, {}, NUMBER, LIMITS)
    assert (caught.value.status, caught.value.kind) == (400, "invalid-json")


@given(JSON_VALUES)
@many(100)
def test_any_json_is_read_or_refused(document):
    for whole in (document, {"feedback": document}, {"request_id": "a", "labels": document}):
        with contextlib.suppress(Problem):
            assert read_labels(json.dumps(whole).encode(), {}, NUMBER, LIMITS)


def test_feedback_is_accepted():
    reply = accepted_reply(3, Answered(name="m", version=1, request_id="z"))
    assert (reply.status, orjson.loads(reply.body)) == (202, {"accepted": 3, "request_id": "z"})


def test_a_request_keeps_its_own_id_where_it_is_one():
    assert request_id_of({"x-request-id": "abc-1"}) == "abc-1"
    for other in ("", "x" * 129, "a b", "a\r\nSet-Cookie: b", "ü", "a\n"):
        drawn = request_id_of({"x-request-id": other})
        assert drawn != other
        assert is_request_id(drawn)
    assert request_id_of({}) != request_id_of({})
