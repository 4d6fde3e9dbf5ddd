"""What a table's images are, and how its schema says so."""

import numpy as np
import orjson
import pyarrow as pa
import pytest

from distml.config import DataConfig
from distml.config.image import ImageConfig
from distml.errors import DataError
from distml.images import tensor_array, tensor_type
from distml.schema import Column, Schema, infer_schema
from pictures import bars, written

GREY, COLOURS, OTHER = (
    written(bars(1, size=(8, 8))[0][0]), written(bars(1, size=(8, 8), channels=3)[0][0]),
    written(bars(1, size=(6, 9))[0][0], "jpeg"),
)  # fmt: skip


def inferred(values, images=None, **data) -> Column:
    table = pa.table({"x": values, "y": ["a", "b"] * (len(values) // 2) + ["a"] * (len(values) % 2)})
    config = DataConfig.model_validate({"source": {"uri": "memory"}, "target": "y", **data})
    return infer_schema(table, config, ImageConfig.model_validate(images or {}))["x"]


@pytest.mark.parametrize(
    ("values", "images", "shape", "resize"),
    [
        (pa.array([GREY, None, GREY]), {}, (8, 8, 1), False),
        (pa.array([GREY, COLOURS]), {}, (8, 8, 3), False),
        (pa.array([b"damaged", GREY], pa.large_binary()), {}, (8, 8, 1), False),
        (pa.array([GREY, OTHER]), {"size": [10, 12]}, (10, 12, 1), True),
        (pa.array([COLOURS]), {"channels": 1}, (8, 8, 1), False),
        (tensor_array(np.zeros((2, 4, 5, 3), np.uint8)), {}, (4, 5, 3), False),
        (tensor_array(np.zeros((2, 4, 5, 3), np.uint8)), {"size": [4, 4], "channels": 1}, (4, 4, 1), True),
    ],
    ids=["grey", "colours", "damaged", "resized", "channels", "tensors", "resized tensors"],
)
def test_bytes_and_tensors_are_images(values, images, shape, resize):
    column = inferred(values, images)
    assert (column.kind, column.dtype, column.shape, column.resize) == ("image", "image", shape, resize)
    assert column.arrow_type == tensor_type(shape)
    schema = Schema((column,))
    assert Schema.from_dict(orjson.loads(orjson.dumps(schema.to_dict()))) == schema


def test_images_of_two_sizes_are_refused_by_both():
    with pytest.raises(DataError, match="the images of a column have one size") as caught:
        inferred(pa.array([GREY, OTHER, GREY]))
    assert caught.value.received == "6 x 9 and 8 x 8"
    assert "features.image.size" in caught.value.remedy


@pytest.mark.parametrize("values", [pa.array([b"text", b"more"]), pa.array([None, None], pa.binary())])
def test_bytes_that_are_no_images_are_refused_unless_excluded(values):
    with pytest.raises(DataError, match="encoded images") as caught:
        inferred(values)
    assert caught.value.where == "memory, column x"
    assert inferred(values, exclude=["x"]).role == "excluded"


@pytest.mark.parametrize(
    ("values", "kind"), [(pa.array(["a", "b"]), "image"), (pa.array([GREY]), "categorical"), (pa.array([1]), "image")]
)
def test_a_declared_kind_has_to_fit(values, kind):
    with pytest.raises(DataError, match="image") as caught:
        inferred(values, kinds={"x": kind})
    assert "data.kinds" in caught.value.remedy


@pytest.mark.parametrize("roles", [{"id": "x"}, {"time": "x"}, {"weight": "x"}, {"group": "x"}], ids=str)
def test_images_are_features_and_nothing_else(roles):
    with pytest.raises(DataError, match="a column of images is a feature"):
        inferred(pa.array([GREY]), roles=roles)
