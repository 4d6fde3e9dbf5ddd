"""Images as they come, cleaned to pixels of one shape."""

import numpy as np
import pyarrow as pa
import pytest

from distml.clean import RowCleaner
from distml.config import CleanConfig, SourceConfig
from distml.errors import DataError
from distml.images import pixels_of, tensor_array
from distml.schema import Column, Schema
from pictures import bars, written

GREY, COLOURS = bars(6, channels=1)[0], bars(6, channels=3)[0]


def cleaner(shape=(8, 8, 1), resize=False, images="fail", private=False):
    column = Column(name="x", kind="image", dtype="image", shape=shape, resize=resize, private=private)
    return RowCleaner.from_config(Schema((column,)), SourceConfig(uri="memory"), CleanConfig(images=images))


def cleaned(values, **options):
    return cleaner(**options).apply(pa.table({"x": values}))


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary(), pa.binary_view()], ids=str)
def test_encoded_images_become_their_pixels(kind):
    found = cleaned(pa.array([*map(written, GREY), None], kind))
    column = found.table.column("x")
    np.testing.assert_array_equal(pixels_of(column)[:6], GREY)
    assert column.null_count == 1
    assert found.findings == ()
    assert found.kept.all()


def test_tensors_without_channels_get_one():
    flat = pa.FixedSizeListArray.from_arrays(pa.array(GREY.reshape(-1)), 64)
    values = pa.ExtensionArray.from_storage(pa.fixed_shape_tensor(pa.uint8(), (8, 8)), flat)
    column = cleaned(values).table.column("x")
    assert column.type.shape == [8, 8, 1]
    np.testing.assert_array_equal(pixels_of(column), GREY)


def test_cleaned_images_are_cleaned_again_as_they_are():
    once = cleaned(pa.array([written(GREY[0]), None])).table
    assert cleaner().apply(once).table.equals(once)


def test_every_kind_of_table_gives_the_same_pixels():
    for options in ({"shape": (8, 8, 1)}, {"shape": (5, 11, 3), "resize": True}, {"shape": (20, 4, 1), "resize": True}):
        encoded = cleaned(pa.array([*map(written, COLOURS)]), **options).table.column("x")
        assert encoded.equals(cleaned(tensor_array(COLOURS), **options).table.column("x"))


DAMAGED = pa.array([written(GREY[0]), b"nothing", None, written(GREY[1])[:60], written(bars(1, size=(9, 7))[0][0])])


@pytest.mark.parametrize(
    ("images", "kept", "nulls"),
    [("fail", [0, 2], 1), ("drop", [0, 2], 1), ("quarantine", [0, 2], 1), ("null", [0, 1, 2, 3, 4], 4)],
)
def test_what_cannot_be_read_or_has_another_size_is_found(images, kept, nulls):
    found = cleaned(DAMAGED, images=images)
    assert np.flatnonzero(found.kept).tolist() == kept
    assert found.table.column("x").null_count == nulls
    told = {finding.rule: finding for finding in found.findings}
    assert {rule: (finding.count, finding.action) for rule, finding in told.items()} == {
        "an image can be read": (2, images),
        "an image of this column is 8 x 8": (1, images),
    }
    assert [row for row, _ in told["an image can be read"].examples] == [1, 3]
    assert told["an image of this column is 8 x 8"].examples == ((4, "'9 x 7 grey'"),)
    assert "features.image.size: [8, 8]" in told["an image of this column is 8 x 8"].remedy


def test_a_size_that_is_asked_for_is_no_finding():
    found = cleaned(DAMAGED.take(pa.array([0, 4])), resize=True)
    assert found.findings == ()
    assert pixels_of(found.table.column("x")).shape == (2, 8, 8, 1)


def test_tensors_of_another_size_are_found():
    (finding,) = cleaned(tensor_array(bars(3, size=(9, 7))[0])).findings
    assert (finding.count, finding.action) == (3, "fail")


def test_colours_that_a_grey_column_loses_are_counted():
    found = cleaned(pa.array([written(GREY[0]), written(COLOURS[0])]))
    (finding,) = found.findings
    assert (finding.count, finding.action, finding.examples) == (1, "replace", ((1, "'8 x 8 in colours'"),))
    assert found.kept.all()


def test_a_private_image_shows_nothing_of_itself():
    finding = cleaned(DAMAGED, private=True).findings[0]
    assert finding.examples[0] == (1, "(private)")


def test_what_is_no_image_column_at_all_is_found():
    (finding,) = cleaned(pa.array(["a", None])).findings
    assert (finding.count, finding.examples) == (1, ((0, "'string'"),))


@pytest.mark.parametrize("section", [{"rules": {"x": {"min": 0}}}, {"replace": {"x": {"a": "b"}}}])
def test_rules_for_values_are_refused(section):
    column = Column(name="x", kind="image", dtype="image", shape=(8, 8, 1))
    with pytest.raises(DataError, match=r"image|numbers"):
        RowCleaner.from_config(Schema((column,)), SourceConfig(uri="memory"), CleanConfig.model_validate(section))


def test_survives_json():
    before = cleaner(images="null", resize=True)
    assert RowCleaner.from_dict(before.to_dict()) == before
