"""Images as tensors of a batch: fitted from the summary, the same alone and among others."""

import numpy as np
import orjson
import pyarrow as pa
import pytest

from distml.batch import FeatureBatch
from distml.config import FeaturesConfig
from distml.features import FeaturePipeline, fit_features
from distml.images import channel_sums, pixels_of
from distml.models.inputs import PixelInput
from pictures import picture_table
from tables import cleaner_of, pipeline_of, summary_of

TABLE = picture_table(50, channels=3)
PIXELS = pixels_of(TABLE.column("image"))


def test_a_dense_tensor_is_the_image_channels_first():
    pipeline = pipeline_of("dense", TABLE)
    batch = pipeline.transform(TABLE)
    np.testing.assert_array_equal(batch.tensors["image"], PIXELS.transpose(0, 3, 1, 2))
    spec = pipeline.input_spec(2)
    assert spec.tensors["image"].shape == (3, 8, 8)
    assert spec.num_pixels == 192
    assert spec.num_numeric == 1


def test_the_constants_are_those_of_the_training_pixels():
    import torch

    spec = pipeline_of("dense", TABLE).input_spec(2).tensors["image"]
    np.testing.assert_allclose(spec.mean, PIXELS.mean(axis=(0, 1, 2)), rtol=1e-12)
    np.testing.assert_allclose(spec.std, PIXELS.std(axis=(0, 1, 2)), rtol=1e-9)
    normalised = PixelInput(spec)(torch.from_numpy(PIXELS.transpose(0, 3, 1, 2).copy()))
    np.testing.assert_allclose(normalised.mean(dim=(0, 2, 3)).numpy(), 0, atol=1e-5)
    np.testing.assert_allclose(normalised.std(dim=(0, 2, 3), unbiased=False).numpy(), 1, atol=1e-5)


@pytest.mark.parametrize(("most", "size"), [(1000, (8, 8)), (75, (5, 5)), (3, (1, 1))])
def test_trees_get_as_many_numbers_as_they_may(most, size):
    pipeline = pipeline_of("trees", TABLE, {"image": {"max_tree_numbers": most}})
    assert pipeline.transform(TABLE).tensors["image"].shape == (50, 3, *size)


def test_a_missing_image_is_the_mean():
    holes = TABLE.take(pa.array([0, None, 2])).set_column(1, "size", pa.array([0.0, 1.0, 2.0]))
    pipeline = pipeline_of("dense", TABLE)
    batch = pipeline.encode(pipeline.clean(holes).table)
    mean = np.rint(PIXELS.mean(axis=(0, 1, 2)))
    assert (batch.tensors["image"][1] == mean[:, None, None]).all()
    np.testing.assert_array_equal(batch.tensors["image"][2], PIXELS[2].transpose(2, 0, 1))


@pytest.mark.parametrize("recipe", ["dense", "trees"])
@pytest.mark.parametrize("kind", ["tensor", "png"])
def test_an_image_alone_is_the_image_among_others(recipe, kind):
    table = picture_table(20, kind=kind, size=(9, 7))
    pipeline = pipeline_of(recipe, table)
    alone = FeatureBatch.concat([pipeline.transform(table.slice(i, 1)) for i in range(20)])
    assert alone.tensors["image"].tobytes() == pipeline.transform(table).tensors["image"].tobytes()


def test_survives_json_and_bytes():
    pipeline = pipeline_of("trees", TABLE)
    copy = FeaturePipeline.from_dict(orjson.loads(orjson.dumps(pipeline.to_dict())))
    assert copy == pipeline
    batch = copy.transform(TABLE)
    again = FeatureBatch.from_bytes(batch.to_bytes())
    np.testing.assert_array_equal(again.tensors["image"], batch.tensors["image"])


def test_an_image_that_never_varies_is_left_out():
    table = TABLE.set_column(0, "image", TABLE.column("image").take(pa.array([0] * 50)))
    cleaner = cleaner_of(table)
    fitted = fit_features("dense", cleaner, summary_of(cleaner, table), FeaturesConfig())
    assert fitted.pipeline.tensors == ()
    assert [finding.column for finding in fitted.findings] == ["image"]


def test_a_summary_is_the_same_whatever_the_parts():
    cleaner = cleaner_of(TABLE)
    whole = summary_of(cleaner, TABLE).columns["image"]
    first, second = summary_of(cleaner, TABLE.slice(0, 13)), summary_of(cleaner, TABLE.slice(13))
    merged = first.merge(second).columns["image"]
    np.testing.assert_array_equal(merged.pixels, whole.pixels)
    np.testing.assert_array_equal(whole.pixels, channel_sums(PIXELS))
    assert (merged.count, merged.distinct) == (whole.count, whole.distinct) == (50, 50)
    assert merged.mean == pytest.approx(PIXELS.mean(), rel=1e-12)
    assert merged.m2 == pytest.approx(whole.m2, rel=1e-12)
    assert whole.to_dict().keys() >= {"mean", "min", "max", "pixels"}
    assert "categories" not in whole.to_dict()


def test_a_sample_holds_brightness_not_pixels():
    sample = summary_of(cleaner_of(TABLE), TABLE).sample
    assert sample.column("image").type == pa.float64()
