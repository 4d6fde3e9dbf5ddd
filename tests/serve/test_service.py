import html.parser
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from commands import TINY
from distml.config import parse_config
from distml.lifecycle.run import Resources, run
from distml.predictor import Predictor
from distml.records import table_from_records
from distml.serve.openapi import PATHS
from distml.serve.service import Limits, Service


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    """A package made by the lifecycle itself."""
    storage = tmp_path_factory.mktemp("store")
    result = run(parse_config(TINY, [f"storage={storage}"]), Resources())
    assert result.trained is not None
    return Predictor.load(Path(storage) / result.trained.package)


@pytest.fixture
def service(predictor: Predictor) -> Service:
    service = Service("tiny", Limits(max_rows=100, max_body_bytes=1 << 20))
    service.swap(7, predictor)
    return service


@pytest.fixture
def row(predictor: Predictor) -> dict[str, Any]:
    assert predictor.package.golden is not None
    return dict(predictor.package.golden.rows[0])


def post(service: Service, document: Any, **headers: str) -> tuple[int, dict[str, Any]]:
    body = document if isinstance(document, bytes) else orjson.dumps(document)
    reply = service.handle("POST", "/predict", headers, body)
    return reply.status, orjson.loads(reply.body)


def test_answers_equal_the_predictor(service: Service, predictor: Predictor) -> None:
    assert predictor.package.golden is not None
    rows = predictor.package.golden.rows
    status, answer = post(service, {"rows": rows})
    wanted = predictor.predict(table_from_records(rows, predictor.schema))
    assert status == 200
    assert answer["predictions"] == wanted.values.tolist()
    got = np.array([[shares[label] for label in ("benign", "malignant")] for shares in answer["probabilities"]])
    np.testing.assert_array_equal(got, wanted.probabilities)
    assert answer["model"] == {"name": "tiny", "version": 7}


def test_a_bare_row_is_one_row(service: Service, row: dict[str, Any]) -> None:
    assert post(service, row)[1]["predictions"] == post(service, {"rows": [row]})[1]["predictions"]


def test_the_request_id_is_honoured_if_it_is_short_and_printable(service: Service, row: dict[str, Any]) -> None:
    assert post(service, row, **{"x-request-id": "abc-1"})[1]["request_id"] == "abc-1"
    for hostile in ("x" * 129, "a\r\nSet-Cookie: b", "", "ü"):
        assert post(service, row, **{"x-request-id": hostile})[1]["request_id"] != hostile


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"mean_area": "12"}, "mean_area"),
        ({"mean_area": True}, "mean_area"),
        ({"mean_area": [1]}, "mean_area"),
        ({"mean_area": {}}, "mean_area"),
    ],
)
def test_a_wrong_value_is_422_with_row_and_column(
    service: Service, row: dict[str, Any], change: dict[str, Any], named: str
) -> None:
    status, answer = post(service, {"rows": [row, {**row, **change}]})
    assert status == 422
    assert f"row 1, column {named}" in answer["detail"]


def test_an_absent_column_is_named_and_its_misspelling_recognised(service: Service, row: dict[str, Any]) -> None:
    row["mean_aera"] = row.pop("mean_area")
    status, answer = post(service, row)
    assert status == 422
    assert "did you mean 'mean_aera' to be 'mean_area'?" in answer["detail"]


def test_null_is_a_missing_value(service: Service, row: dict[str, Any]) -> None:
    assert post(service, {**row, "mean_area": None})[0] == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nope", 404), ("GET", "/predict", 405), ("POST", "/schema", 405), ("GET", "", 404), ("GET", "/../", 404)],
)
def test_other_paths_and_methods_are_problems(service: Service, method: str, path: str, status: int) -> None:
    reply = service.handle(method, path, {}, b"")
    assert reply.status == status
    assert reply.content_type == "application/problem+json"


def test_nothing_is_ready_before_the_first_version() -> None:
    service = Service("tiny")
    assert service.handle("GET", "/healthz", {}, b"").status == 200
    for path in ("/readyz", "/schema", "/docs"):
        assert service.handle("GET", path, {}, b"").status == 503
    assert service.handle("POST", "/predict", {}, b"{}").status == 503


def test_every_documented_path_answers(service: Service, row: dict[str, Any]) -> None:
    for path in PATHS:
        method, body = ("POST", orjson.dumps(row)) if path == "/predict" else ("GET", b"")
        assert service.handle(method, path, {}, body).status == 200
    document = orjson.loads(service.handle("GET", "/openapi.json", {}, b"").body)
    assert set(document["paths"]) == set(PATHS)


def test_the_schema_fits_the_rows_it_is_for(service: Service, row: dict[str, Any]) -> None:
    schema = orjson.loads(service.handle("GET", "/schema", {}, b"").body)
    assert set(schema["required"]) == set(schema["properties"]) == set(row)
    assert schema["examples"] == [row]


def test_the_docs_need_nothing_from_elsewhere(service: Service) -> None:
    page = service.handle("GET", "/docs", {}, b"").body.decode()
    parser = html.parser.HTMLParser()
    parser.feed(page)
    assert "mean_area" in page
    assert "http://" not in page
    assert "https://" not in page


def test_a_swap_changes_the_version_of_the_next_request(
    service: Service, predictor: Predictor, row: dict[str, Any]
) -> None:
    service.swap(8, predictor)
    assert service.version == 8
    assert post(service, row)[1]["model"]["version"] == 8


def test_each_version_has_a_window_of_its_own(service: Service, predictor: Predictor, row: dict[str, Any]) -> None:
    post(service, row)
    service.swap(8, predictor)
    post(service, {"rows": [row, row]})
    assert service.take_windows() == []  # requests may be under way
    assert {window.version: window.rows for window in service.take_windows()} == {7: 1, 8: 2}
    assert service.take_windows() == []


def test_a_window_has_rows_errors_latencies_and_ignored_columns(service: Service, row: dict[str, Any]) -> None:
    for _ in range(3):
        post(service, {"rows": [row, {**row, "stranger": 1}]})
    post(service, b"{")
    assert service.take_windows() == []  # requests may be under way
    (window,) = service.take_windows()
    assert (window.requests, window.rows) == (4, 6)
    assert window.errors == {"invalid-json": 1}
    assert window.ignored == {"stranger": 3}
    assert window.latency.num_added == 4
    assert window.inputs.count == window.predictions.count == 6
