from __future__ import annotations

import pytest

from distml.serve.admission import Admission
from distml.serve.wire import Problem


def test_places_are_as_many_as_may_be_and_come_back():
    admission = Admission(max_requests=2, max_bytes=100)
    with admission.place(), admission.place():
        with pytest.raises(Problem) as refused, admission.place():
            pass
        assert admission.num_requests == 2
    assert (refused.value.status, refused.value.kind, refused.value.headers) == (
        503,
        "overloaded",
        {"Retry-After": "1"},
    )
    assert admission.num_requests == 0
    with admission.place():
        assert admission.num_requests == 1


def test_a_place_comes_back_from_a_request_that_fails():
    admission = Admission(max_requests=1, max_bytes=100)

    def fail() -> None:
        with admission.place() as place:
            place.hold(60)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert (admission.num_requests, admission.num_bytes) == (0, 0)


def test_bytes_of_all_together_are_bounded():
    admission = Admission(max_requests=5, max_bytes=100)
    with admission.place() as first, admission.place() as second:
        first.hold(60)
        second.hold(40)
        with pytest.raises(Problem) as refused:
            second.hold(1)
        assert (refused.value.status, refused.value.kind) == (503, "overloaded")
        assert (first.num_bytes, second.num_bytes, admission.num_bytes) == (60, 40, 100)
    assert admission.num_bytes == 0
    with admission.place() as place:
        place.hold(100)
