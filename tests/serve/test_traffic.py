import math

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distml.errors import UsageError
from distml.serve.traffic import Deployed, Share, Traffic, position

ONE, TWO, THREE, FOUR = (Deployed(version=number, package=f"trained/{number}/package") for number in (1, 2, 3, 4))
KEYS = [f"client-{number}" for number in range(20_000)]


def shared(*percents, salt="s", **others):
    shares = zip((TWO, THREE), percents, strict=False)
    return Traffic(main=ONE, shares=tuple(Share(deployed=d, percent=p) for d, p in shares), salt=salt, **others)


def test_without_shares_the_main_version_answers():
    assert {Traffic(main=ONE).assign(key) for key in KEYS[:100]} == {1}


def test_a_share_of_a_hundred_leaves_nothing_to_the_main_version():
    assert {shared(100).assign(key) for key in KEYS} == {2}


def test_an_assignment_is_the_same_everywhere_and_always():
    """Written down, as replicas of two releases serve beside each other for a while."""
    assert [shared(50).assign(key) for key in ("ann", "bob", "cyd", "dan", "")] == [1, 2, 1, 2, 2]
    assert [round(position("s", key), 6) for key in ("ann", "bob", "")] == [69.204907, 5.37674, 18.331332]


@pytest.mark.parametrize("percent", [0.1, 1, 5, 25, 50, 90])
def test_a_share_has_its_percentage_of_the_keys(percent):
    got = sum(shared(percent).assign(key) == 2 for key in KEYS)
    expected = len(KEYS) * percent / 100
    assert abs(got - expected) < 4 * math.sqrt(expected * (1 - percent / 100))  # of fixed keys: the same every time


def test_several_shares_have_theirs():
    counts = dict.fromkeys((1, 2, 3), 0)
    for key in KEYS:
        counts[shared(20, 30).assign(key)] += 1
    assert all(abs(counts[version] / len(KEYS) - share) < 0.015 for version, share in ((1, 0.5), (2, 0.2), (3, 0.3)))


@given(st.text(), st.text(max_size=80), st.lists(st.floats(0.01, 100), min_size=2, max_size=6))
def test_who_has_the_canary_keeps_it_as_its_share_grows(key, salt, percents):
    given_to = [shared(percent, salt=salt).assign(key) for percent in sorted(percents)]
    assert given_to == sorted(given_to)


@given(st.text(), st.floats(0.01, 70), st.floats(0.01, 29))
def test_an_earlier_share_is_untouched_by_a_later_one(key, percent, more):
    assert (shared(percent).assign(key) == 2) == (shared(percent, more).assign(key) == 2)


def test_another_salt_draws_anew():
    both = [(shared(50).assign(key), shared(50, salt="t").assign(key)) for key in KEYS]
    assert abs(sum(a == b for a, b in both) / len(both) - 0.5) < 0.015


def test_a_request_is_assigned_by_its_header_else_by_its_id():
    assert shared(5).key_of({"x-assignment-key": "ann"}, "r1") == "ann"
    assert shared(5).key_of({}, "r1") == shared(5).key_of({"x-assignment-key": ""}, "r1") == "r1"
    assert shared(5, key="x-user").key_of({"x-assignment-key": "ann", "x-user": "bob"}, "r1") == "bob"


def test_traffic_goes_to_replicas_as_data_and_comes_back_the_same():
    traffic = shared(5, 10, shadow=FOUR, last_good=ONE, allow_code=("my_pkg",), asked_at=12.5, key="x-user")
    for one in (traffic, Traffic(main=ONE)):
        assert Traffic.from_dict(orjson.loads(orjson.dumps(one.to_dict()))) == one


def test_the_versions_held_are_all_of_them_once():
    assert shared(5, shadow=FOUR, last_good=ONE).versions == {1: ONE, 2: TWO, 4: FOUR}


@pytest.mark.parametrize("percents", [(0,), (-1,), (100.5,), (60, 50), (float("nan"),)])
def test_shares_that_are_not_of_the_requests_are_refused(percents):
    with pytest.raises(UsageError, match="together 100 at most"):
        shared(*percents)


@pytest.mark.parametrize(
    "parts", [{"shares": (Share(deployed=ONE, percent=5),)}, {"shadow": ONE}], ids=["share", "shadow"]
)
def test_a_version_has_one_part(parts):
    with pytest.raises(UsageError, match=r"one part in the traffic; received versions \[1, 1\]"):
        Traffic(main=ONE, **parts)
