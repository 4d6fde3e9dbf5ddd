"""What every wire format has to do. Its own test inherits `FormatContract` and says how its bodies are written."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from distml.postprocess import Prediction
from distml.predictor import Predictor
from distml.records import table_from_records
from distml.serve import wire
from distml.serve.predicting.tables import predict_table
from packages import package_of, table_of

TASKS = ("binary", "multiclass", "regression")
ANSWERED = wire.Answered(name="shop", version=7, request_id="id-1")
LIMITS = wire.Limits(max_rows=50, max_body_bytes=1 << 20)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def many(max_examples: int) -> settings:
    """The same method is run by each heir, which is meant."""
    unusual = [HealthCheck.too_slow, HealthCheck.differing_executors]
    return settings(max_examples=max_examples, deadline=None, suppress_health_check=unusual)


@cache
def predictor_of(task: str) -> Predictor:
    return Predictor(package_of(task, epochs=2))


def rows_of(num_rows: int) -> list[dict[str, Any]]:
    """Rows with numbers, whole numbers, categories, an unknown one, and missing values."""
    rows = table_of("binary", n=num_rows, seed=3).select(["size", "colour"]).to_pylist()
    for row, change in zip(
        rows, ({}, {"size": None}, {"colour": None}, {"size": 2}, {"colour": "mauve"}), strict=False
    ):
        row.update(change)
    return rows


def predicted(predictor: Predictor, rows: wire.Rows) -> Prediction:
    """As the service predicts: few rows without a table where they are plain, others as one."""
    prediction = predictor.predict_few(rows.records) if rows.records is not None else None
    if prediction is not None:
        return prediction
    return predict_table(predictor, rows)[1]


def answer_to(
    predictor: Predictor,
    path: str,
    headers: Mapping[str, str],
    body: bytes,
    method: str = "POST",
    limits: wire.Limits = LIMITS,
) -> wire.Reply:
    """The whole way of a request, but for who asks and what Ray does."""
    try:
        asked = wire.find(method, path, headers)
        rows = asked.read(body, headers, predictor.schema, limits)
        return asked.write(predicted(predictor, rows), rows, ANSWERED)
    except wire.Problem as problem:
        return problem.reply(ANSWERED.request_id)


class FormatContract:
    """path, headers: where bodies are sent, and as what."""

    path: str
    headers: dict[str, str]

    def encode(self, rows: list[dict[str, Any]]) -> bytes:
        """A body of rows, all of the same columns."""
        raise NotImplementedError

    def decode(self, reply: wire.Reply) -> tuple[list[Any], dict[str, list[float]] | None]:
        """The predictions of an answer, and where it tells them the probabilities by label."""
        raise NotImplementedError

    def read(self, rows: list[dict[str, Any]], task: str = "binary", **changes: Any) -> wire.Rows:
        schema = predictor_of(task).schema
        limits = replace(LIMITS, **changes)
        return wire.find("POST", self.path, self.headers).read(self.encode(rows), self.headers, schema, limits)

    def answer(self, body: bytes, task: str = "binary", **headers: str) -> wire.Reply:
        return answer_to(predictor_of(task), self.path, self.headers | headers, body)

    def problem(self, rows: list[dict[str, Any]], **changes: Any) -> wire.Problem:
        with pytest.raises(wire.Problem) as caught:
            predicted(predictor_of("binary"), self.read(rows, **changes))
        return caught.value

    @pytest.mark.parametrize("task", TASKS)
    @pytest.mark.parametrize("num_rows", [1, 5, 40])
    def test_predictions_are_the_predictors(self, task, num_rows):
        predictor = predictor_of(task)
        rows = rows_of(num_rows)
        wanted = predictor.predict(table_from_records(rows, predictor.schema))
        reply = self.answer(self.encode(rows), task)
        assert reply.status == 200
        values, probabilities = self.decode(reply)
        if task == "regression":
            np.testing.assert_allclose(values, wanted.values, rtol=1e-6)
            return
        assert values == wanted.values.tolist()
        for place, label in enumerate(wanted.labels if probabilities else ()):
            np.testing.assert_allclose(probabilities[label], wanted.probabilities[:, place], atol=1e-6)

    def test_a_body_may_be_gzip(self):
        body = self.encode(rows_of(5))
        packed = self.answer(gzip.compress(body), **{"content-encoding": "gzip"})
        assert packed == self.answer(body)

    def test_columns_that_nothing_reads_are_ignored_and_counted(self):
        rows = [row | {"more": 1, "y": "yes"} for row in rows_of(3)]
        read = self.read(rows)
        assert read.ignored == {"more": 3, "y": 3}
        assert predicted(predictor_of("binary"), read).values.tolist() == self.decode(self.answer(self.encode(rows)))[0]

    def test_a_missing_column_is_named(self):
        problem = self.problem([{"colour": "red", "sise": 1.0}])
        assert (problem.status, problem.kind, problem.members["column"]) == (422, "invalid-row", "size")
        assert "did you mean 'sise' to be 'size'?" in problem.members["remedy"]

    def test_an_optional_column_may_be_missing_and_is_counted(self):
        predictor = predictor_of("binary")
        schema = predictor.schema.with_optional({"size"})
        asked = wire.find("POST", self.path, self.headers)
        read = asked.read(self.encode([{"colour": "red"}, {"colour": "blue"}]), self.headers, schema, LIMITS)
        table = read.table if read.records is None else table_from_records(read.records, schema)
        wanted = predictor.predict(table_from_records([{"colour": c, "size": None} for c in ("red", "blue")], schema))
        np.testing.assert_array_equal(predictor.predict(table).scores, wanted.scores)
        assert read.absent == {"size": 2}

    def test_as_many_rows_as_allowed(self):
        assert self.read(rows_of(5), max_rows=5).num_rows == 5
        assert (self.problem(rows_of(6), max_rows=5).status, self.problem(rows_of(6), max_rows=5).kind) == (
            413,
            "too-many-rows",
        )

    def test_as_long_a_body_as_allowed(self):
        length = len(self.encode(rows_of(5)))
        assert self.read(rows_of(5), max_body_bytes=length).num_rows == 5
        assert self.problem(rows_of(5), max_body_bytes=length - 1).kind == "body-too-large"

    @given(body=st.binary(max_size=300))
    @many(60)
    def test_any_bytes_are_answered(self, body):
        assert_told(self.answer(body))

    @given(document=JSON_VALUES, under=st.sampled_from(["rows", "inputs", "instances", "dataframe_split", None]))
    @many(100)
    def test_any_json_is_answered(self, document, under):
        body = json.dumps(document if under is None else {under: document})
        assert_told(self.answer(body.encode()))

    @given(value=JSON_VALUES, column=st.sampled_from(["size", "colour"]))
    @many(100)
    def test_any_value_is_answered(self, value, column):
        try:
            body = self.encode([*rows_of(2), {"size": 1.0, "colour": "red"} | {column: value}])
        except (TypeError, ValueError, OverflowError):
            return  # no such value can be written in this format
        assert_told(self.answer(body))

    @given(data=st.data())
    @many(100)
    def test_any_damage_is_answered(self, data):
        body = bytearray(self.encode(rows_of(4)))
        for _ in range(data.draw(st.integers(1, 4))):
            body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
        end = data.draw(st.integers(0, len(body)))
        assert_told(self.answer(bytes(body[: end or None])))


def assert_told(reply: wire.Reply) -> None:
    """An answer, or a problem that is the client's."""
    if reply.status != 200:
        document = json.loads(reply.body)
        assert 400 <= reply.status == document["status"] < 500
        assert reply.content_type == wire.PROBLEM
        assert document["type"].startswith("urn:distml:problem:")
        assert document["detail"] == document["error"]
