"""The service in one process: every endpoint, who may ask, by when, and by which version requests are answered."""

from __future__ import annotations

import asyncio
import html.parser
import threading
from functools import cache
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pytest

from distml.clean import RowCleaner
from distml.config.cors import CorsConfig
from distml.inference_log import read_feedback
from distml.predictor import Predictor, with_golden
from distml.records import table_from_records
from distml.serve.admission import Place
from distml.serve.feedback.log import FeedbackLog
from distml.serve.service import Service
from distml.serve.terms import Terms
from distml.serve.tokens.auth import Tokens
from distml.serve.tokens.entry import hashed
from distml.serve.wire import ENDPOINTS, Limits, Reply
from distml.storage import Storage
from hostility.table import ARROW, Hostile, hostile_requests, stream_of
from packages import package_of, table_of
from services import ask, asked, post, service_of, serving_of


@cache
def predictor_of(task: str, epochs: int = 3) -> Predictor:
    made = package_of(task, epochs=epochs)
    return Predictor(with_golden(made, RowCleaner(schema=made.schema).apply(table_of(task)).table))


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return predictor_of("binary")


@pytest.fixture(scope="module")
def other() -> Predictor:
    return predictor_of("binary", epochs=1)


@pytest.fixture
def service(predictor) -> Service:
    return service_of(predictor, number=7)


@pytest.fixture
def row(predictor) -> dict[str, Any]:
    return dict(predictor.package.golden.rows[0])


def rows_of(num_rows: int) -> list[dict[str, Any]]:
    return table_of("binary", n=num_rows, seed=5).select(["size", "colour"]).to_pylist()


def windows(service: Service) -> dict[tuple[int, bool], Any]:
    return {(window.version, window.is_shadow): window for window in service.take_windows(is_last=True)}


# The same predictions by every way


def as_infer(rows: list[dict[str, Any]]) -> bytes:
    columns = {
        "size": ("FP64", [row["size"] for row in rows]),
        "colour": ("BYTES", [row["colour"] for row in rows]),
    }
    inputs = [
        {"name": name, "datatype": kind, "shape": [len(rows)], "data": data} for name, (kind, data) in columns.items()
    ]
    return orjson.dumps({"inputs": inputs})


def as_csv(rows: list[dict[str, Any]]) -> bytes:
    return "\n".join(["size,colour", *(f"{row['size']!r},{row['colour']}" for row in rows)]).encode()


WAYS = {
    "predict": ("/predict", "application/json", lambda rows: orjson.dumps({"rows": rows})),
    "arrow": ("/predict", ARROW, lambda rows: stream_of(pa.Table.from_pylist(rows))),
    "split": (
        "/invocations",
        "application/json",
        lambda rows: orjson.dumps(
            {"dataframe_split": {"columns": list(rows[0]), "data": [list(row.values()) for row in rows]}}
        ),
    ),
    "records": ("/invocations", "application/json", lambda rows: orjson.dumps({"dataframe_records": rows})),
    "csv": ("/invocations", "text/csv", as_csv),
    "infer": ("/v2/models/shop/infer", "application/json", as_infer),
}


def values_of(reply: Reply) -> list[Any]:
    if reply.content_type == ARROW:
        return pa.ipc.open_stream(reply.body).read_all()["prediction"].to_pylist()
    document = orjson.loads(reply.body)
    return document["outputs"][0]["data"] if "outputs" in document else document["predictions"]


@pytest.mark.parametrize("num_rows", [1, 5, 300])
@pytest.mark.parametrize("task", ["binary", "regression"])
@pytest.mark.parametrize("way", WAYS)
def test_every_way_gives_what_the_predictor_gives(task, way, num_rows):
    predictor = predictor_of(task, epochs=2)
    rows = rows_of(num_rows)
    path, content_type, encode = WAYS[way]
    reply = ask(service_of(predictor), "POST", path, encode(rows), {"content-type": content_type})
    assert reply.status == 200, reply.body
    wanted = predictor.predict(table_from_records(rows, predictor.schema)).values.tolist()
    if task == "regression":
        np.testing.assert_allclose(values_of(reply), wanted, rtol=1e-6)
    else:
        assert values_of(reply) == wanted
    assert reply.headers["X-Model-Version"] == "1"


def test_probabilities_are_the_predictors(service, predictor):
    rows = rows_of(5)
    _, answer = post(service, {"rows": rows})
    wanted = predictor.predict(table_from_records(rows, predictor.schema))
    got = [[shares[label] for label in wanted.labels] for shares in answer["probabilities"]]
    np.testing.assert_allclose(got, wanted.probabilities, rtol=1e-6)
    assert answer["model"] == {"name": "shop", "version": 7}


def test_requests_that_wait_at_one_moment_are_one_call(service):
    bodies = [orjson.dumps({"rows": rows_of(count)}) for count in (1, 2, 3)]

    async def at_once() -> list[Reply]:
        return await asyncio.gather(*(asked(service, "POST", "/predict", body) for body in bodies))

    replies = asyncio.run(at_once())
    assert [len(orjson.loads(reply.body)["predictions"]) for reply in replies] == [1, 2, 3]
    window = windows(service)[7, False]
    assert (window.requests, window.rows, sum(window.batches.counts)) == (3, 6, 1)


def test_an_odd_request_does_not_concern_those_beside_it(service, row):
    bodies = [
        {"rows": [row]},
        {"rows": [{**row, "size": "x"}]},
        {"rows": [{**row, "colour": " red "}]},
        {"rows": [row]},
    ]

    async def at_once() -> list[Reply]:
        return await asyncio.gather(*(asked(service, "POST", "/predict", orjson.dumps(body)) for body in bodies))

    replies = asyncio.run(at_once())
    assert [reply.status for reply in replies] == [200, 422, 200, 200]
    assert "row 0, column size" in orjson.loads(replies[1].body)["detail"]


# What is wrong with a request


def test_the_request_id_is_honoured_if_it_is_short_and_printable(service, row):
    assert post(service, row, **{"x-request-id": "abc-1"})[1]["request_id"] == "abc-1"
    for hostile in ("x" * 129, "a\r\nSet-Cookie: b", "", "ü"):
        assert post(service, row, **{"x-request-id": hostile})[1]["request_id"] != hostile


def test_a_request_id_is_in_the_headers_of_every_answer(service):
    for method, path in (("GET", "/schema"), ("GET", "/nope"), ("POST", "/predict")):
        assert ask(service, method, path, headers={"x-request-id": "abc"}).headers["X-Request-Id"] == "abc"


@pytest.mark.parametrize("change", [{"size": "12"}, {"size": True}, {"size": [1]}, {"size": {}}])
def test_a_wrong_value_is_422_with_row_and_column(service, row, change):
    status, answer = post(service, {"rows": [row, {**row, **change}]})
    assert status == 422
    assert "row 1, column size" in answer["detail"]


HOSTILE = hostile_requests({"size": 1.0, "colour": "red"}, "size")


@pytest.mark.parametrize("hostile", HOSTILE, ids=str)
def test_hostile_requests_are_problems_and_no_faults(service, hostile: Hostile):
    reply = ask(service, hostile.method, hostile.path, hostile.make(), hostile.headers)
    assert reply.status == hostile.status
    if reply.status >= 400:
        assert reply.content_type == "application/problem+json"
    assert sum(window.faults for window in windows(service).values()) == 0


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nope", 404), ("GET", "/predict", 405), ("POST", "/schema", 405), ("GET", "", 404), ("GET", "/../", 404),
     ("POST", "/v2/models/other/infer", 404), ("GET", "/v2/models/shop/versions/8", 404), ("OPTIONS", "/predict", 405)],
)  # fmt: skip
def test_other_paths_methods_models_and_versions_are_problems(service, method, path, status):
    reply = ask(service, method, path)
    assert (reply.status, reply.content_type) == (status, "application/problem+json")


def test_nothing_is_ready_before_the_first_version():
    service = Service("shop")
    assert ask(service, "GET", "/healthz").status == ask(service, "GET", "/v2/health/live").status == 200
    for path in ("/readyz", "/schema", "/docs", "/v2/health/ready", "/v2/models/shop"):
        assert ask(service, "GET", path).status == 503
    assert post(service, {})[0] == 503


# What it says of itself


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("endpoint", [one for one in ENDPOINTS if "GET" in one.methods and one.name != "metrics"])
def test_every_endpoint_that_is_read_answers(service, endpoint, method):
    reply = ask(service, method, endpoint.path.replace("{model}", "shop"))
    assert reply.status == 200
    assert reply.body


def test_the_model_is_told_by_open_inference(service):
    assert orjson.loads(ask(service, "GET", "/v2/models/shop/versions/7").body)["versions"] == ["7"]
    assert orjson.loads(ask(service, "GET", "/v2/models/shop/ready").body) == {"name": "shop", "ready": True}


def test_the_schema_fits_the_rows_it_is_for(service, row):
    schema = orjson.loads(ask(service, "GET", "/schema").body)
    assert set(schema["properties"]) == set(row)
    assert schema["examples"] == [row]


def test_what_is_said_of_a_version_is_made_once(predictor, other):
    service = service_of(predictor)
    for path in ("/openapi.json", "/docs", "/schema", "/readyz"):
        first, second = ask(service, "GET", path), ask(service, "GET", path)
        assert first.body is second.body
        assert first.headers["X-Request-Id"] != second.headers["X-Request-Id"]
    service.swap(serving_of(other, 2))
    assert orjson.loads(ask(service, "GET", "/openapi.json").body)["info"]["version"] == "2"


def test_the_docs_need_nothing_from_elsewhere(service):
    page = ask(service, "GET", "/docs").body.decode()
    html.parser.HTMLParser().feed(page)
    assert "colour" in page
    assert "http://" not in page
    assert "https://" not in page


def test_metrics_are_what_the_replica_says(predictor):
    async def metrics(headers: Any) -> Reply:
        return Reply(200, headers["accept"].encode(), "text/plain")

    service = Service("shop", metrics=metrics)
    assert ask(service, "GET", "/metrics", headers={"accept": "a"}).body == b"a"
    assert ask(service_of(predictor), "GET", "/metrics").status == 404


# Who may ask


def guarded(predictor: Predictor) -> Service:
    entries = ",".join(f"{name}:{name}:{hashed(name + '-token').hex()}" for name in ("predict", "feedback", "admin"))
    service = Service("shop", tokens=Tokens.of(entries))
    service.swap(serving_of(predictor))
    return service


def bearer(name: str) -> dict[str, str]:
    return {"authorization": f"Bearer {name}-token"}


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/predict"), ("GET", "/predict"), ("GET", "/schema"), ("GET", "/docs"), ("GET", "/openapi.json"),
     ("GET", "/nope"), ("POST", "/feedback"), ("GET", "/metrics"), ("GET", "/v2"), ("GET", "/v2/models/shop"),
     ("GET", "/v2/models/other"), ("POST", "/v2/models/shop/infer"), ("POST", "/invocations"), ("PUT", "/predict")],
)  # fmt: skip
@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer wrong"}], ids=["without", "wrong"])
def test_without_a_token_there_is_a_401_and_nothing_else(predictor, method, path, headers):
    service = guarded(predictor)
    read = []

    async def body(place: Place) -> bytes:
        read.append(place)
        return b"{"

    reply = asyncio.run(service.handle(method, path, {**headers, "content-type": "text/nothing"}, body))
    assert reply.status == 401
    assert set(reply.headers) == {"WWW-Authenticate", "X-Request-Id"}
    assert "size" not in reply.body.decode()
    assert read == []  # not even the body


def test_a_token_allows_what_its_scope_says(predictor, row):
    service = guarded(predictor)
    body = orjson.dumps(row)
    assert ask(service, "POST", "/predict", body, bearer("predict")).status == 200
    assert ask(service, "GET", "/schema", headers=bearer("predict")).status == 200
    assert ask(service, "POST", "/predict", body, bearer("feedback")).status == 403
    assert ask(service, "POST", "/feedback", b"{}", bearer("predict")).status == 403
    assert ask(service, "GET", "/nope", headers=bearer("feedback")).status == 404


def test_health_is_open_and_says_nothing_of_the_model(predictor):
    service = guarded(predictor)
    for path in ("/healthz", "/readyz", "/v2/health/live", "/v2/health/ready"):
        reply = ask(service, "GET", path)
        assert reply.status == 200
        assert b"shop" not in reply.body
        assert set(reply.headers) == {"X-Request-Id"}


def test_a_page_of_a_listed_origin_may_read_the_answers(predictor, row):
    service = Service("shop", Terms(cors=CorsConfig(origins=("https://a.example",))))
    service.swap(serving_of(predictor))
    asks = {"access-control-request-method": "POST"}
    assert ask(service, "OPTIONS", "/predict", headers={"origin": "https://a.example", **asks}).status == 204
    assert ask(service, "OPTIONS", "/predict", headers={"origin": "https://b.example", **asks}).status == 405
    reply = ask(service, "POST", "/predict", orjson.dumps(row), {"origin": "https://a.example"})
    assert reply.headers["Access-Control-Allow-Origin"] == "https://a.example"
    reply = ask(service, "POST", "/predict", orjson.dumps(row), {"origin": "https://b.example"})
    assert "Access-Control-Allow-Origin" not in reply.headers


# By when, and how many at once


@pytest.mark.parametrize("given", ["soon", "", "0", "-1", "nan"])
def test_a_timeout_that_is_none_is_a_problem(service, row, given):
    status, answer = post(service, row, **{"x-request-timeout": given})
    assert (status, answer["type"]) == (400, "urn:distml:problem:invalid-timeout")


def test_what_is_too_late_is_never_predicted(service, row):
    body = orjson.dumps(row)

    async def late() -> Reply:
        async def slowly(place: Place) -> bytes:
            await asyncio.sleep(0.05)
            return body

        return await service.handle("POST", "/predict", {"x-request-timeout": "0.01"}, slowly)

    reply = asyncio.run(late())
    assert (reply.status, orjson.loads(reply.body)["type"]) == (504, "urn:distml:problem:deadline-exceeded")
    window = windows(service)[7, False]
    assert (window.requests, window.rows, window.errors, window.faults) == (1, 0, {"deadline-exceeded": 1}, 0)


def test_more_than_may_wait_is_refused_at_once_and_the_next_is_taken(predictor, row):
    service = Service("shop", Terms(max_queued=2))
    service.swap(serving_of(predictor))
    body = orjson.dumps(row)

    async def crowd() -> tuple[Reply, list[Reply], Reply]:
        gate = asyncio.Event()

        async def slowly(place: Place) -> bytes:
            await gate.wait()
            return body

        waiting = [asyncio.ensure_future(service.handle("POST", "/predict", {}, slowly)) for _ in range(2)]
        await asyncio.sleep(0)
        assert service.gauges()["ongoing"] == 2
        refused = await asked(service, "POST", "/predict", body)
        alive = await asked(service, "GET", "/healthz")
        assert alive.status == 200
        gate.set()
        return refused, await asyncio.gather(*waiting), await asked(service, "POST", "/predict", body)

    refused, taken, after = asyncio.run(crowd())
    assert (refused.status, refused.headers["Retry-After"]) == (503, "1")
    assert orjson.loads(refused.body)["type"] == "urn:distml:problem:overloaded"
    assert [reply.status for reply in (*taken, after)] == [200, 200, 200]


def test_bodies_of_all_together_are_bounded(predictor, row):
    terms = Terms(limits=Limits(max_body_bytes=1 << 20))
    service = Service("shop", terms)
    service.swap(serving_of(predictor))

    async def many() -> tuple[Reply, Reply]:
        gate = asyncio.Event()

        async def slowly(place: Place) -> bytes:
            place.hold(terms.max_bytes)
            await gate.wait()
            return orjson.dumps(row)

        large = asyncio.ensure_future(service.handle("POST", "/predict", {}, slowly))
        await asyncio.sleep(0)
        refused = await asked(service, "POST", "/predict", orjson.dumps(row))
        gate.set()
        return refused, await large

    refused, taken = asyncio.run(many())
    assert (refused.status, orjson.loads(refused.body)["type"]) == (503, "urn:distml:problem:overloaded")
    assert taken.status == 200


def test_small_requests_answer_while_a_table_is_predicted(service, row, predictor):
    gate, begun = threading.Event(), threading.Event()
    live = service.serving.main

    class Slow(Predictor):
        def predict_kept(self, table: Any) -> Any:
            begun.set()
            gate.wait(60)
            return super().predict_kept(table)

    live.predictor = Slow(predictor.package)

    async def beside() -> tuple[Reply, Reply]:
        table = asyncio.ensure_future(asked(service, "POST", "/predict", orjson.dumps({"rows": rows_of(500)})))
        while not begun.is_set():
            await asyncio.sleep(0.001)
        small = await asked(service, "POST", "/predict", orjson.dumps(row))
        assert not table.done()
        gate.set()
        return small, await table

    assert [reply.status for reply in asyncio.run(beside())] == [200, 200]


# Versions


def test_a_swap_changes_the_version_of_the_next_request(service, predictor, row):
    service.swap(serving_of(predictor, 8))
    assert post(service, row)[1]["model"]["version"] == 8


def test_a_share_of_the_keys_has_the_canary_and_keeps_it(service, predictor, other, row):
    serving = serving_of(predictor, 7, shares={8: (other, 30.0)})
    service.swap(serving)
    numbers = {}
    for key in map(str, range(60)):
        answers = {post(service, row, **{"x-assignment-key": key})[1]["model"]["version"] for _ in range(2)}
        (numbers[key],) = answers
    assert numbers == {key: serving.traffic.assign(key) for key in numbers}
    assert set(numbers.values()) == {7, 8}


def test_a_version_can_be_asked_by_its_number(service, predictor, other):
    service.swap(serving_of(predictor, 7, shares={8: (other, 1.0)}))
    for number in (7, 8):
        reply = ask(service, "POST", f"/v2/models/shop/versions/{number}/infer", as_infer(rows_of(2)))
        assert orjson.loads(reply.body)["model_version"] == str(number)


class Failing(Predictor):
    """Fails on every request, as a version may that its golden rows don't tell of."""

    def predict_few(self, records: Any) -> Any:
        raise RuntimeError("a secret of the model")

    def predict_kept(self, table: Any) -> Any:
        raise RuntimeError("a secret of the model")


@pytest.mark.parametrize("num_rows", [1, 300])
def test_the_last_good_version_answers_for_one_that_fails(predictor, row, num_rows, caplog):
    service = Service("shop")
    service.swap(serving_of(Failing(predictor.package), 8, last_good=(7, predictor)))
    for _ in range(3):
        status, answer = post(service, {"rows": [row] * num_rows})
        assert (status, answer["model"]["version"]) == (200, 7)
    seen = windows(service)
    assert (seen[8, False].faults, seen[8, False].errors) == (3, {"version-failed": 3})
    assert (seen[7, False].requests, seen[7, False].rows, seen[7, False].faults) == (3, 3 * num_rows, 0)
    (logged,) = [record for record in caplog.records if "failed" in record.getMessage()]  # once per kind
    assert "a secret of the model" in str(logged.exc_info[1])


def test_main_answers_for_a_canary_that_fails(predictor, row):
    service = Service("shop")
    service.swap(serving_of(predictor, 7, shares={8: (Failing(predictor.package), 100.0)}))
    assert post(service, row)[1]["model"]["version"] == 7
    assert windows(service)[8, False].faults == 1


def test_where_nobody_else_answers_a_fault_is_a_500_that_tells_nothing(predictor, row):
    service = service_of(Failing(predictor.package), number=8)
    status, answer = post(service, row)
    assert (status, answer["type"]) == (500, "urn:distml:problem:version-failed")
    assert "secret" not in str(answer)
    window = windows(service)[8, False]
    assert (window.requests, window.faults, window.errors) == (1, 1, {"version-failed": 1})


def test_a_clients_mistake_is_not_answered_by_another_version(predictor, other, row):
    service = Service("shop")
    service.swap(serving_of(predictor, 8, last_good=(7, other)))
    assert post(service, {**row, "size": "x"})[0] == 422
    seen = windows(service)
    assert set(seen) == {(8, False)}
    assert (seen[8, False].faults, seen[8, False].errors) == (0, {"invalid-row": 1})


# Shadows


@pytest.mark.parametrize("num_rows", [1, 300])
def test_a_shadow_is_asked_the_same_rows_and_answers_nobody(predictor, other, num_rows):
    service = Service("shop")
    service.swap(serving_of(predictor, 7, shadow=(8, other)))
    rows = rows_of(num_rows)
    answer = post(service, {"rows": rows})[1]
    assert answer["model"]["version"] == 7
    heard = windows(service)[8, True]
    table = table_from_records(rows, predictor.schema)
    one, two = predictor.predict(table), other.predict(table)
    assert (heard.compared, heard.faults, heard.rows) == (num_rows, 0, 0)
    assert heard.differing == np.count_nonzero(one.values != two.values)
    assert heard.max_difference == pytest.approx(np.abs(one.score - two.score).max(), rel=1e-6)


def test_a_shadows_faults_reach_nobody_and_are_counted(predictor, row):
    service = Service("shop")
    service.swap(serving_of(predictor, 7, shadow=(8, Failing(predictor.package))))
    for _ in range(3):
        assert post(service, row)[1]["model"]["version"] == 7
    seen = windows(service)
    assert (seen[8, True].faults, seen[8, True].compared) == (3, 0)
    assert (seen[7, False].requests, seen[7, False].faults) == (3, 0)


def test_a_shadow_that_is_busy_is_skipped_and_that_is_counted(predictor, row):
    gate = threading.Event()

    class Slow(Predictor):
        def predict_few(self, records: Any) -> Any:
            gate.wait(60)
            return super().predict_few(records)

    service = Service("shop")
    service.swap(serving_of(predictor, 7, shadow=(8, Slow(predictor.package))))

    async def many() -> list[Reply]:
        first = await asked(service, "POST", "/predict", orjson.dumps(row))
        await asyncio.sleep(0)  # the shadow is asked, and doesn't come to an end
        rest = [await asked(service, "POST", "/predict", orjson.dumps(row)) for _ in range(100)]
        gate.set()
        await service.settled()
        return [first, *rest]

    assert {reply.status for reply in asyncio.run(many())} == {200}
    heard = windows(service)[8, True]
    assert heard.skipped == 36  # one under way, 64 wait
    assert heard.compared == 65


# Labels


def test_labels_are_kept_before_they_are_acknowledged(predictor, tmp_path):
    storage = Storage(tmp_path)

    async def told() -> list[Reply]:
        log = FeedbackLog(storage, "shop", "replica-1")
        service = Service("shop", feedback=log)
        service.swap(serving_of(predictor, 7))
        replies = [
            await asked(service, "POST", "/feedback", orjson.dumps(document))
            for document in ({"request_id": "a", "labels": ["yes", "no"]}, {"request_id": "a", "labels": ["maybe"]})
        ]
        await log.close()
        late = await asked(service, "POST", "/feedback", orjson.dumps({"request_id": "a", "labels": ["yes"]}))
        return [*replies, late]

    kept, refused, late = asyncio.run(told())
    assert (kept.status, orjson.loads(kept.body)["accepted"]) == (202, 2)
    assert refused.status == 422
    assert (late.status, late.headers["Retry-After"]) == (503, "5")
    assert read_feedback(storage, "shop")["label"].to_pylist() == ["yes", "no"]


# Windows


def test_each_version_has_a_window_of_its_own(service, predictor, row):
    post(service, row)
    service.swap(serving_of(predictor, 8))
    post(service, {"rows": [row, row]})
    assert service.take_windows() == []  # requests may be under way
    assert {window.version: window.rows for window in service.take_windows()} == {7: 1, 8: 2}
    assert service.take_windows() == []


def test_a_request_that_ends_after_its_version_left_is_counted(service, predictor, row):
    async def late() -> None:
        gate = asyncio.Event()

        async def slowly(place: Place) -> bytes:
            await gate.wait()
            return orjson.dumps(row)

        under_way = asyncio.ensure_future(service.handle("POST", "/predict", {}, slowly))
        await asyncio.sleep(0)
        service.swap(serving_of(predictor, 8))
        assert service.take_windows() == service.take_windows() == []
        gate.set()
        assert (await under_way).headers["X-Model-Version"] == "7"

    asyncio.run(late())
    assert {key: window.rows for key, window in windows(service).items()} == {(7, False): 1}


def test_a_window_has_rows_errors_latencies_and_ignored_columns(service, row):
    for _ in range(3):
        post(service, {"rows": [row, {**row, "stranger": 1}]})
    post(service, b"{")
    window = windows(service)[7, False]
    assert (window.requests, window.rows) == (4, 6)
    assert window.errors == {"invalid-json": 1}
    assert window.ignored == {"stranger": 3}
    assert sum(window.latency.counts) == 4
    assert sum(window.waits.counts) == 3
    assert window.inputs.count == 6


def test_an_optional_column_that_rows_leave_out_is_counted(row):
    service = service_of(Predictor(package_of("binary", epochs=2, optional={"size"})))
    assert post(service, {"rows": [{"colour": "red"}, row]})[0] == 200
    (window,) = windows(service).values()
    assert window.absent == {"size": 1}


def test_what_is_unexpected_in_the_service_itself_is_a_500_without_a_word(service, row, caplog):
    async def broken(place: Place) -> bytes:
        raise OSError("a secret of the machine")

    reply = asyncio.run(service.handle("POST", "/predict", {}, broken))
    assert reply.status == 500
    assert b"secret" not in reply.body
    assert "a secret of the machine" in caplog.text
