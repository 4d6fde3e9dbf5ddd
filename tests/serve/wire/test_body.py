import gzip
import zlib

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distml.serve.wire import Limits, Problem
from distml.serve.wire.body import check_nesting, check_repeated, json_of, plain

GZIP = {"content-encoding": "gzip"}


def refused(call, *arguments) -> tuple[int, str]:
    with pytest.raises(Problem) as caught:
        call(*arguments)
    return caught.value.status, caught.value.kind


@given(st.lists(st.binary(max_size=200), min_size=1, max_size=3))
def test_what_gzip_packed_comes_out(parts):
    assert plain(b"".join(map(gzip.compress, parts)), GZIP, Limits()) == b"".join(parts)


@pytest.mark.parametrize("encoding", ["identity", "", "Identity", None])
def test_a_plain_body_stays_as_it_is(encoding):
    assert plain(b"abc", {} if encoding is None else {"content-encoding": encoding}, Limits()) == b"abc"


def test_a_body_may_be_exactly_as_long_as_allowed():
    limits = Limits(max_body_bytes=1000)
    assert plain(b"a" * 1000, {}, limits) == plain(gzip.compress(b"a" * 1000), GZIP, limits) == b"a" * 1000
    for body, headers in ((b"a" * 1001, {}), (gzip.compress(b"a" * 1001), GZIP), (gzip.compress(b"a" * 999) * 2, GZIP)):
        assert refused(plain, body, headers, limits) == (413, "body-too-large")


@pytest.mark.parametrize(
    "body", [b"", b"abc", zlib.compress(b"abc"), gzip.compress(b"abc")[:-1], gzip.compress(b"abc") + b"x"]
)
def test_what_is_not_gzip_is_400(body):
    assert refused(plain, body, GZIP, Limits()) == (400, "invalid-gzip")


def nested(depth: int) -> object:
    value: object = 1
    for i in range(depth):
        value = [value] if i % 2 else {"a": value}
    return value


@pytest.mark.parametrize("depth", [1, 2, 5, 6, 200])
@pytest.mark.parametrize("beside", [0, 50])
def test_nesting_is_measured_exactly(depth, beside):
    document = [nested(depth - 1), *([{}] * beside), "{[" * beside]
    body = orjson.dumps(document)
    depth = max(depth, 2) if beside else depth
    for limit in (depth, depth + 1, 1000):
        check_nesting(body, document, beside, Limits(max_depth=limit))
    assert refused(check_nesting, body, document, beside, Limits(max_depth=depth - 1)) == (400, "too-deep")


@pytest.mark.parametrize(
    "body",
    [b'{"a":1,"a":2}', b'{"b":1,"a":{"x":1,"x":":"}}', rb'{"a":1,"\u0061":2}', b'[{"a":1},{"a":1,"b":"::","a":1}]'],
)
def test_a_repeated_key_is_found(body):
    document = json_of(body)
    assert refused(check_repeated, body, document, 0) == (422, "repeated-column")


@given(st.recursive(st.text() | st.integers(0, 9), lambda inner: st.dictionaries(st.text(), inner) | st.lists(inner)))
def test_no_repeated_key_is_found_where_there_is_none(document):
    check_repeated(orjson.dumps(document), document, 0)


def test_a_repeated_key_is_named():
    with pytest.raises(Problem) as caught:
        check_repeated(b'{"age":1,"age":2}', {"age": 2}, 1)
    assert caught.value.members == {"column": "age"}


def test_numbers_of_any_length_are_no_fault_of_a_second_reading():
    body = b'{"a": "::", "b": ' + b"9" * 18 + b', "c": 1e-5000}'
    check_repeated(body, json_of(body), 3)
