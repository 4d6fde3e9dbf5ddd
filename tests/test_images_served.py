"""Images all the way: a package fitted on them, its golden rows, requests and what the monitor is told."""

import base64
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa
import pytest

from distml.errors import DataError
from distml.package import ModelPackage
from distml.predictor import NUM_GOLDEN, Predictor, num_golden
from distml.records import records_from_table, row_json_schema, table_from_records
from distml.schema import Column, Schema
from distml.serve.predicting.tables import predict_table
from distml.serve.service import Service
from distml.serve.wire import Rows
from pictures import bars, picture_package, picture_table, written
from services import ask, service_of


@pytest.fixture(scope="module", params=["linear", "mlp", "trees"])
def package(request) -> ModelPackage:
    return picture_package(request.param)


@pytest.fixture(scope="module")
def predictor(package, tmp_path_factory) -> Predictor:
    """Written, read and replayed: golden rows are base64, so that they were read as a request's would be."""
    folder = tmp_path_factory.mktemp("package")
    package.save(folder)
    return Predictor.load(folder)


@pytest.fixture
def service(predictor) -> Service:
    return service_of(predictor, "pictures")


def post(service: Service, rows) -> tuple[int, dict]:
    reply = ask(service, "POST", "/predict", orjson.dumps({"rows": rows}))
    return reply.status, orjson.loads(reply.body)


def test_golden_rows_are_few_and_small(predictor):
    golden = predictor.package.golden
    assert len(golden.rows) == NUM_GOLDEN
    assert all(len(row["image"]) < 500 for row in golden.rows)


@pytest.mark.parametrize(("shape", "count"), [((28, 28, 1), 16), ((128, 128, 3), 5), ((512, 512, 3), 2), (None, 16)])
def test_larger_images_make_fewer_golden_rows(shape, count):
    column = Column(name="x", kind="image" if shape else "numeric", dtype="image" if shape else "number", shape=shape)
    assert num_golden(Schema((column,))) == count


@pytest.mark.parametrize("kind", ["tensor", "png"])
def test_tensors_and_files_of_the_same_pixels_are_predicted_alike(predictor, kind):
    wanted = predictor.predict(picture_table(20, seed=4)).scores
    np.testing.assert_array_equal(predictor.predict(picture_table(20, seed=4, kind=kind)).scores, wanted)


def test_base64_and_lists_get_the_predictors_answer(service, predictor):
    pixels, _ = bars(3, seed=4)
    numbers = picture_table(3, seed=4).column("size").to_pylist()
    wanted = predictor.predict(picture_table(3, seed=4)).values.tolist()
    as_base64 = [base64.b64encode(written(image)).decode() for image in pixels]
    mixed = [pixels[0].tolist(), as_base64[1], pixels[2][:, :, 0].tolist()]
    for images in (as_base64, pixels.tolist(), mixed):
        status, answer = post(service, [{"image": i, "size": s} for i, s in zip(images, numbers, strict=True)])
        assert status == 200
        assert answer["predictions"] == wanted


@pytest.mark.parametrize(
    ("image", "rule"),
    [
        (base64.b64encode(written(bars(1)[0][0])[:50]).decode(), "an image can be read"),
        (base64.b64encode(b"nothing").decode(), "an image can be read"),
        (base64.b64encode(written(bars(1, size=(9, 9))[0][0])).decode(), "an image of this column is 8 x 8"),
        ([[1, 2], [3, 4]], "an image of this column is 8 x 8"),
        ("~", "an image column takes"),
        ([[1], [2, 3]], "an image column takes"),
        (5, "an image column takes"),
    ],
)
def test_a_damaged_image_is_a_422_that_names_row_and_column(service, image, rule):
    good = {"image": bars(1)[0][0].tolist(), "size": 0.5}
    status, problem = post(service, [good, {**good, "image": image}])
    assert status == 422
    assert rule in problem["detail"]
    assert "row 1" in problem["detail"]
    assert "column image" in problem["detail"]


def test_windows_hold_brightness_not_pixels(service, predictor):
    rows = [{"image": image.tolist(), "size": 0.0} for image in bars(5)[0]]
    post(service, rows)
    assert predict_table(predictor, Rows(records=rows))[0].table.column("image").type == pa.float64()
    (window,) = service.take_windows(is_last=True)
    seen = window.inputs.columns["image"]
    assert (seen.count, seen.nulls) == (5, 0)
    assert seen.mean == pytest.approx(bars(5)[0].mean(), rel=1e-9)


def test_the_schema_and_its_example_work(service):
    document = orjson.loads(ask(service, "GET", "/schema").body)
    assert document["properties"]["image"]["type"] == ["string", "array", "null"]
    assert post(service, document["examples"])[0] == 200
    assert ask(service, "GET", "/docs").status == 200


def test_a_missing_image_is_predicted(service):
    assert post(service, [{"image": None, "size": 1.0}])[0] == 200


def test_private_images_stay_out_of_golden_rows():
    package = picture_package("linear", private=["image"])
    assert all(row["image"] is None for row in package.golden.rows)
    with pytest.raises(DataError) as caught:
        table_from_records([{"image": "~", "size": 1.0}], package.schema)
    assert caught.value.received == "(private)"


def test_records_come_back_from_tables(predictor):
    cleaned = predictor.package.members[0].pipeline.clean(picture_table(4)).table.select(["image", "size"])
    rows = records_from_table(cleaned)
    again = predictor.package.members[0].pipeline.clean(table_from_records(rows, predictor.schema)).table
    assert again.equals(cleaned)
    assert row_json_schema(predictor.schema)["required"] == ["image", "size"]


def test_a_package_has_its_constants_as_json(package, tmp_path: Path):
    package.save(tmp_path)
    model = orjson.loads((tmp_path / "members" / "0" / "model.json").read_bytes())
    spec = model["input"]["tensors"]["image"]
    assert spec["shape"][0] == 1
    assert 0 < spec["mean"][0] < 255
    assert 0 < spec["std"][0] < 255
