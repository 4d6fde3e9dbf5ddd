import numpy as np
import orjson
import pytest

from contracts.format import ANSWERED
from distml.postprocess import Prediction
from distml.records import table_from_columns
from distml.schema import Column, Schema
from distml.serve.wire import Limits, Problem, Rows, find, model_document
from distml.serve.wire.inference import Inference, outputs_of

SCHEMA = Schema(
    (
        Column(name="size", kind="numeric", dtype="number"),
        Column(name="flag", kind="boolean", dtype="boolean"),
        Column(name="day", kind="datetime", dtype="datetime"),
        Column(name="photo", kind="image", dtype="image", shape=(2, 3, 3)),
    )
)
OPTIONAL = SCHEMA.with_optional({"size", "flag", "day", "photo"})
CLASSES = Prediction(values=np.array([True], object), probabilities=np.array([[0.25, 0.75]]), labels=(False, True))
NUMBERS = Prediction(values=np.array([1.5, 2.5]), probabilities=None, labels=None)


def read(*tensors, schema=OPTIONAL, **more):
    body = orjson.dumps({"inputs": list(tensors), **more})
    return Inference().read(body, {}, schema, Limits())


def tensor(name, data, datatype, shape=None):
    return {"name": name, "shape": shape or [len(data)], "datatype": datatype, "data": data}


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (tensor("size", [1.5, None], "FP64"), [1.5, None]),
        (tensor("size", [1, -2], "INT8"), [1.0, -2.0]),
        (tensor("size", [[1.5], [2.5]], "FP32", [2, 1]), [1.5, 2.5]),
        (tensor("size", [1.5, 2.5], "FP32", [2, 1]), [1.5, 2.5]),
        (tensor("size", [255, 2**64 - 1], "UINT64"), [255.0, float(2**64)]),
        (tensor("flag", [True, None], "BOOL"), ["true", None]),
        (tensor("flag", ["no", "true"], "BYTES"), ["no", "true"]),
        (tensor("day", ["2020-01-02", None], "BYTES"), ["2020-01-02", None]),
    ],
)
def test_a_tensor_is_a_column(given, wanted):
    assert read(given).table.column(given["name"]).to_pylist() == wanted


def test_pixels_are_images():
    pixels = np.arange(36, dtype=np.uint8).reshape(2, 3, 2, 3)  # [n, ch, h, w]
    rows = {"photo": pixels.transpose(0, 2, 3, 1).tolist()}
    wanted = table_from_columns(rows, 2, OPTIONAL).column("photo")
    for data in (pixels.ravel().tolist(), pixels.tolist()):
        assert read(tensor("photo", data, "UINT8", [2, 3, 2, 3])).table.column("photo") == wanted


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (tensor("size", [1.5], "INT64"), "values of INT64 are whole numbers or null"),
        (tensor("size", [True], "INT64"), "values of INT64 are whole numbers or null"),
        (tensor("size", [128], "INT8"), "values of INT8 are from -128 to 127"),
        (tensor("size", [-1], "UINT8"), "values of UINT8 are from 0 to 255"),
        (tensor("size", ["1"], "FP64"), "values of FP64 are numbers or null"),
        (tensor("size", [1.5], "BYTES"), "values of BYTES are texts or null"),
        (tensor("flag", [1], "BOOL"), "values of BOOL are truth values or null"),
        (tensor("size", [1.5, 2], "FP64", [3]), "its data has the 3 values of its shape"),
        (tensor("size", [1.5, 2], "FP64", [1, 2]), "its shape is [n] or [n, 1]"),
        (tensor("photo", [1] * 18, "INT64", [1, 3, 2, 3]), "pixels are UINT8 without null"),
        (tensor("photo", [1] * 18, "UINT8", [1, 18]), "its shape is [n], [n, 1] or [n, ch, h, w]"),
    ],
)
def test_a_tensor_that_is_none_is_named(given, named):
    with pytest.raises(Problem) as caught:
        read(given)
    problem = caught.value
    assert (problem.status, problem.kind) == (422, "invalid-tensor")
    assert (problem.members["column"], problem.members["allowed"]) == (given["name"], named)


def test_a_datatype_that_a_column_does_not_take_is_named_by_row_and_column():
    with pytest.raises(Problem) as caught:
        read(tensor("size", ["a", "b"], "BYTES"))
    assert {key: caught.value.members[key] for key in ("row", "column", "received")} == {
        "row": 0, "column": "size", "received": "'a'"
    }  # fmt: skip


def test_tensors_have_as_many_rows():
    with pytest.raises(Problem) as caught:
        read(tensor("size", [1.5, 2.5], "FP64"), tensor("flag", [True], "BOOL"))
    assert (caught.value.kind, caught.value.members["column"]) == ("invalid-column", "flag")


def written(prediction, **told):
    return orjson.loads(Inference().write(prediction, Rows(records=[{}], told=told), ANSWERED).body)


def test_classes_are_bytes_and_probabilities_name_them():
    assert written(CLASSES) == {
        "model_name": "shop", "model_version": "7", "id": "id-1",
        "outputs": [
            {"name": "predictions", "datatype": "BYTES", "shape": [1], "data": ["true"]},
            {"name": "probabilities", "datatype": "FP64", "shape": [1, 2], "data": [0.25, 0.75],
             "parameters": {"labels": '["false","true"]'}},
        ],
    }  # fmt: skip


def test_numbers_are_fp64():
    assert outputs_of(NUMBERS) == [{"name": "predictions", "datatype": "FP64", "shape": [2], "data": [1.5, 2.5]}]


def test_only_outputs_that_are_wanted_are_given_in_their_order():
    size = tensor("size", [1.5], "FP64")
    for wanted in (["probabilities"], ["probabilities", "predictions"], ["predictions"] * 2):
        told = read(size, outputs=[{"name": name} for name in wanted], id="mine").told
        document = written(CLASSES, **told)
        assert document["id"] == "mine"
        assert [output["name"] for output in document["outputs"]] == list(dict.fromkeys(wanted))


def test_an_output_that_a_number_does_not_have_is_400():
    with pytest.raises(Problem) as caught:
        written(NUMBERS, outputs=["probabilities"])
    assert (caught.value.status, caught.value.members["allowed"]) == (400, ["predictions"])


def test_metadata_tells_what_tensors_are():
    document = model_document("shop", [6, 7], SCHEMA, (False, True))
    assert document["versions"] == ["6", "7"]
    assert [(one["name"], one["datatype"], one["shape"]) for one in document["inputs"]] == [
        ("size", "FP64", [-1]), ("flag", "BOOL", [-1]), ("day", "BYTES", [-1]), ("photo", "UINT8", [-1, 3, 2, 3]),
    ]  # fmt: skip
    assert [(one["name"], one["datatype"], one["shape"]) for one in document["outputs"]] == [
        ("predictions", "BYTES", [-1]), ("probabilities", "FP64", [-1, 2]),
    ]  # fmt: skip
    assert [one["name"] for one in model_document("shop", [7], SCHEMA, None)["outputs"]] == ["predictions"]


def test_a_body_is_read_as_json_whatever_it_does_not_say():
    assert find("POST", "/v2/models/shop/infer", {}).takes_rows
