"""Every format keeps the contract."""

import csv
import io
import json
from typing import Any

import orjson
import pyarrow as pa
import pytest

from contracts.format import ANSWERED, FormatContract, answer_to, assert_told, predictor_of
from distml.serve import wire
from hostility.table import ARROW, Hostile, hostile_requests, stream_of

JSON = {"content-type": "application/json"}


class TestPredict(FormatContract):
    path, headers = "/predict", JSON

    def encode(self, rows):
        return json.dumps({"rows": rows}).encode()

    def decode(self, reply):
        document = orjson.loads(reply.body)
        assert document["model"] == {"name": "shop", "version": 7}
        assert document["request_id"] == "id-1"
        shares = document.get("probabilities")
        return document["predictions"], shares and {label: [row[label] for row in shares] for label in shares[0]}


class _Invocations(FormatContract):
    path, headers = "/invocations", JSON

    def decode(self, reply):
        assert reply.headers == {"X-Model-Name": "shop", "X-Model-Version": "7"}
        document = orjson.loads(reply.body)
        assert list(document) == ["predictions"]
        return document["predictions"], None


class TestDataframeSplit(_Invocations):
    def encode(self, rows):
        data = [list(row.values()) for row in rows]
        split = {"columns": list(rows[0]), "index": list(range(len(rows))), "data": data}
        return json.dumps({"dataframe_split": split}).encode()


class TestDataframeRecords(_Invocations):
    def encode(self, rows):
        return json.dumps({"dataframe_records": rows}).encode()


class TestInstances(_Invocations):
    def encode(self, rows):
        return json.dumps({"instances": rows}).encode()


class TestInputs(_Invocations):
    def encode(self, rows):
        return json.dumps({"inputs": {name: [row[name] for row in rows] for name in rows[0]}}).encode()


class TestCsv(_Invocations):
    path, headers = "/invocations", {"content-type": "text/csv; charset=UTF-8"}

    def encode(self, rows):
        sink = io.StringIO()
        writer = csv.DictWriter(sink, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return sink.getvalue().encode()


class TestInference(FormatContract):
    path, headers = "/v2/models/shop/infer", JSON

    def encode(self, rows):
        inputs = [
            {"name": name, "shape": [len(rows)], "datatype": datatype(rows, name), "data": [row[name] for row in rows]}
            for name in rows[0]
        ]
        return json.dumps({"id": "mine", "inputs": inputs}).encode()

    def decode(self, reply):
        document = orjson.loads(reply.body)
        assert (document["model_name"], document["model_version"], document["id"]) == ("shop", "7", "mine")
        outputs = {output["name"]: output for output in document["outputs"]}
        shares = outputs.get("probabilities")
        if shares is None:
            return outputs["predictions"]["data"], None
        labels = orjson.loads(shares["parameters"]["labels"])
        assert shares["shape"] == [len(outputs["predictions"]["data"]), len(labels)]
        return outputs["predictions"]["data"], {
            label: shares["data"][i :: len(labels)] for i, label in enumerate(labels)
        }


def datatype(rows: list[dict[str, Any]], name: str) -> str:
    return "FP64" if name in ("size", "sise", "more") else "BYTES"


class TestArrow(FormatContract):
    path, headers = "/predict", {"content-type": ARROW, "accept": ARROW}

    def encode(self, rows):
        return stream_of(pa.Table.from_pylist(rows))

    def decode(self, reply):
        assert reply.content_type == ARROW
        table = pa.ipc.open_stream(reply.body).read_all()
        assert table.schema.metadata == {b"model": b"shop", b"version": b"7", b"request_id": b"id-1"}
        columns = table.to_pydict()
        values = columns.pop("prediction")
        return values, {name.removeprefix("probability_"): shares for name, shares in columns.items()} or None


HOSTILE = hostile_requests({"size": 1.5, "colour": "red"}, "size")


@pytest.mark.parametrize("hostile", HOSTILE, ids=str)
def test_hostile_requests_are_problems(hostile: Hostile):
    body = hostile.make()
    reply = answer_to(predictor_of("binary"), hostile.path, hostile.headers, body, hostile.method, wire.Limits())
    assert (reply.status, reply.content_type) == (hostile.status, wire.PROBLEM)
    assert_told(reply)
    assert len(reply.body) < 4000
    assert orjson.loads(reply.body)["request_id"] == ANSWERED.request_id


def test_there_are_at_least_forty_and_each_has_a_name_of_its_own():
    assert len({hostile.name for hostile in HOSTILE}) == len(HOSTILE) >= 40
