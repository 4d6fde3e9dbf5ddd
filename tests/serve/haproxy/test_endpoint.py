"""What HAProxy does before a request reaches a replica: the real one, with the configuration that Ray writes."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest
import trustme

from distml.serve import haproxy
from endpoints import Replica, answering, config_of, endpoint, hanging_up

pytestmark = pytest.mark.skipif(not haproxy.is_available(), reason="HAProxy's wheel is for Linux alone")


@pytest.fixture(scope="module")
def state() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="distml-", dir="/tmp") as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def replica() -> Replica:
    return Replica(answering)


@pytest.fixture(scope="module")
def port(state: Path, replica: Replica) -> Iterator[int]:
    with endpoint(state, config_of({"body_timeout_s": 0.3, "max_body_mb": 1}), [replica]) as port:
        yield port


@contextmanager
def endpoint_before(*replicas, **serve):
    with (
        tempfile.TemporaryDirectory(prefix="distml-", dir="/tmp") as state,
        endpoint(Path(state), config_of(serve), replicas) as port,
    ):
        yield port


def ask(port, method="GET", path="/churn/predict", body=None, **headers):
    """(status, headers, document) of an answer."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, json.loads(answer.read() or b"null")


def ask_raw(port, request):
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(request)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        content = answer.read()
        return answer.status, answer.headers, json.loads(content) if content.startswith(b"{") else None


def is_problem(answer, status, kind):
    got, headers, document = answer
    assert (got, headers["Content-Type"]) == (status, "application/problem+json")
    assert (document["status"], document["type"]) == (status, f"urn:distml:problem:{kind}")
    return True


def test_a_request_reaches_a_replica(port):
    status, _, document = ask(port, "POST", body=b"{}")
    assert (status, document) == (200, {"name": "churn"})


@pytest.mark.parametrize(
    "path", ["/-/routes", "/-/ROUTES", "/%2d/routes", "/%2D%2froutes", "/-/", "/other", "/churnier"]
)
def test_what_else_is_served_is_told_to_nobody(port, path):
    assert is_problem(ask(port, path=path), 404, "not-found")


def test_whether_it_is_up_is_told_to_everyone(port):
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request("GET", "/-/healthz")
        assert connection.getresponse().status == 200


@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "127.0.0.1", "[::1]:8000"])
def test_a_service_without_tokens_is_known_by_this_machines_names(port, host):
    assert ask(port, Host=host)[0] == 200


@pytest.mark.parametrize("host", ["rebound.example", "127.0.0.1.example", "localhost.example:8000", "[::2]"])
def test_and_by_no_other_name(port, host):
    assert is_problem(ask(port, Host=host), 421, "wrong-host")


def test_headers_have_a_length(port):
    assert is_problem(ask(port, Filler="x" * 17_000), 431, "headers-too-large")


def test_headers_beyond_every_buffer_are_refused(port):
    assert ask_raw(port, b"GET /churn/predict HTTP/1.1\r\nFiller: " + b"x" * 70_000)[0] == 400


def test_a_body_that_is_too_long_is_refused_before_it_comes(port, replica):
    before = len(replica.asked)
    request = b"POST /churn/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 104857600\r\n\r\n"
    assert is_problem(ask_raw(port, request), 413, "body-too-large")
    assert len(replica.asked) == before


@pytest.mark.parametrize("request_", [b"nonsense\r\n\r\n", b"GET /churn/predict HTTP/1.1\r\nA\xff: 1\r\n\r\n"])
def test_what_is_no_request_is_refused(port, replica, request_):
    before = len(replica.asked)
    assert ask_raw(port, request_)[0] == 400
    assert len(replica.asked) == before


def test_headers_that_come_too_slowly_reach_no_replica(port, replica):
    before = len(replica.asked)
    assert ask_raw(port, b"POST /churn/predict HTTP/1.1\r\nHo")[0] == 408
    assert len(replica.asked) == before


def test_a_body_that_comes_too_slowly_reaches_no_replica(port, replica):
    before = len(replica.asked)
    request = b"POST /churn/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{"
    assert is_problem(ask_raw(port, request), 408, "slow-request")
    assert len(replica.asked) == before


def test_what_serve_would_take_from_a_client_is_taken_away(port, replica):
    sent = {"serve_multiplexed_model_id": "x", "X-Session-Id": "x", "X-Request-Timeout-Seconds": "1"}
    ask(port, **sent, **{"X-Serve-Router-Y": "x", "X-Request-Disconnect-Disabled": "?0", "X-Request-Timeout": "5"})
    told = replica.asked[-1][1]
    assert not {"serve_multiplexed_model_id", "x-session-id", "x-serve-router-y"} & set(told)
    assert "x-request-timeout-seconds" not in told
    assert (told["x-request-disconnect-disabled"], told["x-request-timeout"]) == ("?1", "5")


def test_a_request_id_is_kept_where_it_is_printable(port, replica):
    ask(port, **{"X-Request-Id": "order-7"})
    assert replica.asked[-1][1]["x-request-id"] == "order-7"
    for bad in ("\xff\xfe", "a b", "x" * 129):
        ask(port, **{"X-Request-Id": bad})
        assert "x-request-id" not in replica.asked[-1][1]


@pytest.mark.parametrize("size", [2, 50_000])
def test_what_a_dying_replica_swallowed_goes_to_another(size):
    dying, alive = Replica(hanging_up), Replica(answering)
    with endpoint_before(dying, alive) as port:
        answers = [ask(port, "POST", body=b"x" * size)[0] for _ in range(8)]
    assert answers == [200] * 8
    assert dying.asked and len(alive.asked) == 8
    assert {size for *_, size in alive.asked} == {size}


@pytest.mark.parametrize("size", [2, 200_000])
def test_without_another_the_client_is_told_to_come_again(size):
    with endpoint_before(Replica(hanging_up)) as port:
        answer = ask(port, "POST", body=b"x" * size)
    assert is_problem(answer, 503, "unavailable")
    assert answer[1]["Retry-After"] == "1"


def test_one_that_is_started_while_another_runs_takes_its_place_and_knows_what_that_knew():
    """As when a manager was given up as stuck, and another starts HAProxy before it has ended."""
    with (
        tempfile.TemporaryDirectory(prefix="distml-", dir="/tmp") as state,
        endpoint(Path(state), config_of(), [Replica(answering)], times=2) as port,
    ):
        assert ask(port, "POST", body=b"{}")[0] == 200


def test_a_service_that_serve_has_not_told_of_yet_is_to_come():
    with endpoint_before() as port:
        assert is_problem(ask(port, "POST", body=b"{}"), 503, "unavailable")
        assert is_problem(ask(port, path="/churn"), 503, "unavailable")
        assert is_problem(ask(port, path="/churnier"), 404, "not-found")


def test_a_service_with_tokens_has_any_name():
    with endpoint_before(Replica(answering), auth={}) as port:
        assert ask(port, Host="api.example")[0] == 200


def test_a_certificate_is_shown_and_nothing_goes_in_the_clear(tmp_path):
    authority = trustme.CA()
    made = authority.issue_cert("localhost")
    made.private_key_pem.write_to_path(tmp_path / "key.pem")
    made.cert_chain_pems[0].write_to_path(tmp_path / "certificate.pem")
    (tmp_path / "key.pem").chmod(0o600)
    tls = {"certificate": str(tmp_path / "certificate.pem"), "key": str(tmp_path / "key.pem")}
    context = ssl.create_default_context()
    authority.configure_trust(context)
    with ExitStack() as stack:
        state = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="distml-", dir="/tmp")))
        port = stack.enter_context(endpoint(state, config_of({"tls": tls, "auth": {}}), [Replica(answering)]))
        assert (state / "certificate.pem").stat().st_mode & 0o777 == 0o600
        connection = http.client.HTTPSConnection("localhost", port, timeout=30, context=context)
        connection.request("GET", "/churn/schema")
        assert connection.getresponse().status == 200
        connection.close()
        with pytest.raises((http.client.HTTPException, OSError)):
            ask(port)


def test_more_requests_than_may_wait_in_the_replicas_are_refused_at_once():
    gate, begun = threading.Event(), threading.Semaphore(0)

    def waiting(handler):
        begun.release()
        gate.wait(30)
        answering(handler)

    replica = Replica(waiting)
    few = {"max_queued": 3, "autoscaling": {"target_ongoing_requests": 2}}
    with endpoint_before(replica, **few) as port, ThreadPoolExecutor(3) as pool:
        taken = [pool.submit(ask, port, "POST", body=b"{}") for _ in range(3)]
        assert all(begun.acquire(timeout=30) for _ in taken)
        answer = ask(port, "POST", body=b"{}")
        assert is_problem(answer, 429, "overloaded")
        assert answer[1]["Retry-After"] == "1"
        gate.set()
        assert [one.result()[0] for one in taken] == [200, 200, 200]
        assert ask(port, "POST", body=b"{}")[0] == 200
        assert len(replica.asked) == 4
