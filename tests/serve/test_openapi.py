"""The OpenAPI document says what the formats do."""

import html.parser
import json
from dataclasses import replace
from functools import cache
from typing import Any

import orjson
import pytest
from jsonschema import Draft202012Validator

from contracts.format import ANSWERED, TASKS, answer_to, predictor_of, rows_of
from distml.package import Golden
from distml.predictor import Predictor
from distml.serve import openapi, wire
from distml.serve.wire.feedback import accepted_reply
from hostility.table import hostile_requests

JSON = {"content-type": "application/json"}


@cache
def served(task: str) -> Predictor:
    package = predictor_of(task).package
    return Predictor(replace(package, golden=Golden(rows=rows_of(2), scores=[0.0, 0.0])))


@cache
def document(task: str = "binary") -> dict[str, Any]:
    return orjson.loads(orjson.dumps(openapi.document("shop", 7, served(task))))


def validator(name: str, task: str = "binary") -> Draft202012Validator:
    schemas = document(task)["components"]["schemas"]
    return Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": {"schemas": schemas}})


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    return [(path, method, one) for path, methods in document()["paths"].items() for method, one in methods.items()]


def test_every_endpoint_is_there_and_those_of_a_model_by_version_too():
    paths = {endpoint.path for endpoint in wire.ENDPOINTS}
    by_version = {path.replace("{model}", "{model}/versions/{version}") for path in paths if "{model}" in path}
    assert set(document()["paths"]) == paths | by_version
    assert len({one["operationId"] for _, _, one in operations()}) == len(operations())


@pytest.mark.parametrize("task", TASKS)
def test_every_schema_is_one_and_every_reference_leads_somewhere(task):
    schemas = document(task)["components"]["schemas"]
    for schema in schemas.values():
        Draft202012Validator.check_schema(schema)
    text = json.dumps(document(task))
    named = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert named == set(schemas)


@pytest.mark.parametrize("task", TASKS)
def test_examples_are_answered_as_the_document_says(task):
    answered = 0
    for path, methods in document(task)["paths"].items():
        for media_type, body in methods.get("post", {}).get("requestBody", {"content": {}})["content"].items():
            if "example" not in body:
                continue
            example = body["example"]
            content = example.encode() if isinstance(example, str) else orjson.dumps(example)
            where = path.replace("{model}", "shop").replace("{version}", "7")
            reply = answer_to(served(task), where, {"content-type": media_type}, content)
            assert reply.status == 200
            schema = methods["post"]["responses"]["200"]["content"][reply.content_type]["schema"]
            validator(schema["$ref"].rpartition("/")[2], task).validate(orjson.loads(reply.body))
            if not isinstance(example, str):
                validator(body["schema"]["$ref"].rpartition("/")[2], task).validate(example)
            answered += 1
    assert answered == 5


def test_what_is_read_is_as_the_document_says():
    predictor = served("binary")
    for name, told in {
        "Server": wire.server_document(),
        "Live": wire.live_document(),
        "ServerReady": wire.ready_document(),
        "ModelReady": wire.model_ready_document("shop"),
        "Model": wire.model_document("shop", [7], predictor.schema, ("no", "yes")),
        "Accepted": orjson.loads(accepted_reply(3, "log/a", ANSWERED).body),
    }.items():
        validator(name).validate(told)


def test_every_hostile_request_has_a_documented_status_and_problem():
    paths = document()["paths"]
    for hostile in hostile_requests({"size": 1.5, "colour": "red"}, "size"):
        where = hostile.path.replace("/shop/", "/{model}/")
        if where not in paths or hostile.name in ("100 MB", "gzip of 1 GB"):
            continue
        reply = answer_to(served("binary"), hostile.path, hostile.headers, hostile.make(), hostile.method)
        (operation,) = paths[where].values()
        assert str(reply.status) in operation["responses"]
        validator("Problem").validate(orjson.loads(reply.body))


def test_only_health_is_open_to_everyone():
    scopes = {path: one["security"][0]["token"][0] if "security" in one else None for path, _, one in operations()}
    assert {path for path, scope in scopes.items() if scope is None} == {
        "/healthz", "/readyz", "/v2/health/live", "/v2/health/ready"
    }  # fmt: skip
    assert (scopes["/feedback"], scopes["/metrics"], scopes["/schema"]) == ("feedback", "admin", "predict")


def test_rows_fit_the_schema_of_a_row():
    schema = openapi.row_schema(served("binary"))
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    assert all(validator.is_valid(row) for row in rows_of(5))
    assert not validator.is_valid({"size": "1", "colour": "red"})
    assert not validator.is_valid({"size": 1})
    assert schema["required"] == ["size", "colour"]
    assert schema["examples"] == [rows_of(2)[0]]


def test_the_page_needs_nothing_from_elsewhere():
    page = openapi.page(document())
    html.parser.HTMLParser().feed(page)
    assert "http://" not in page
    assert "https://" not in page
    for path, _, _ in operations():
        assert f"<code>{path}</code>" in page
    assert "colour" in page
