import pickle

import numpy as np
import orjson
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distml.batch import FeatureBatch, InputSpec
from distml.errors import DataError
from distml.features import FeaturePipeline
from distml.target import fit_target
from tables import assert_same, data_config, pipeline_of, raw_table, summary_of

CLEAN = {"clean": {"rules": {"count": {"max": 6, "on_violation": "clip"}}, "replace": {"color": {"green": None}}}}
FEATURES = {"numeric": {"scale": "standard", "impute": "mean"}, "categorical": {"min_count": 20}}
PIPELINES = {
    "dense": pipeline_of("dense", raw_table(), **CLEAN),
    "standard": pipeline_of("dense", raw_table(), FEATURES),
    "trees": pipeline_of("trees", raw_table(), **CLEAN),
}
OTHER = raw_table(150, seed=7)
every_pipeline = pytest.mark.parametrize("pipeline", PIPELINES.values(), ids=PIPELINES)


@every_pipeline
def test_a_row_alone_equals_the_row_among_others_bit_for_bit(pipeline):
    one_by_one = [pipeline.transform(OTHER.slice(i, 1)) for i in range(OTHER.num_rows)]
    assert_same(FeatureBatch.concat(one_by_one), pipeline.transform(OTHER))


@every_pipeline
@given(rows=st.lists(st.integers(0, OTHER.num_rows - 1), max_size=30))
def test_any_rows_in_any_order_are_encoded_alike(pipeline, rows):
    assert_same(
        pipeline.transform(OTHER.take(pa.array(rows, pa.int64()))), pipeline.transform(OTHER).take(np.array(rows, int))
    )


@every_pipeline
def test_round_trips_through_json(pipeline):
    copy = FeaturePipeline.from_dict(orjson.loads(orjson.dumps(pipeline.to_dict())))
    assert copy == pipeline
    assert_same(copy.transform(OTHER), pipeline.transform(OTHER))


@every_pipeline
def test_pickles(pipeline):
    assert_same(pickle.loads(pickle.dumps(pipeline)).transform(OTHER), pipeline.transform(OTHER))


@every_pipeline
def test_a_batch_is_as_its_input_spec_says(pipeline):
    spec, batch = pipeline.input_spec(2), pipeline.transform(OTHER)
    assert batch.numeric.dtype == np.float32
    assert batch.numeric.shape == (150, spec.num_numeric)
    assert batch.categorical.shape == (150, len(spec.cardinalities))
    assert (batch.categorical >= 0).all()
    assert (batch.categorical < spec.cardinalities).all()
    assert np.isnan(batch.numeric).any() == (pipeline.recipe == "trees")


def test_input_spec():
    # size and its indicator, count, at (and its hour, weekday and day of the year on circles), value;
    # color (missing, unknown, two words), flag (two truths)
    assert PIPELINES["dense"].input_spec(3) == InputSpec(num_numeric=11, cardinalities=(4, 4), num_outputs=3)
    assert PIPELINES["trees"].input_spec(1).num_numeric == 7


def test_no_rows():
    batch = PIPELINES["dense"].transform(OTHER.slice(0, 0))
    assert (batch.numeric.shape, batch.categorical.shape) == ((0, 11), (0, 2))


def test_columns_of_one_kind_are_enough():
    table = raw_table()
    assert pipeline_of("dense", table.select(["color", "y"])).transform(table).numeric.shape == (200, 0)
    assert pipeline_of("dense", table.select(["size", "y"])).transform(table).categorical.shape == (200, 0)


def test_the_way_that_values_are_written_does_not_matter():
    pipeline = PIPELINES["dense"]
    texts = pa.table(
        {
            name: pa.array([None if v is None else f" {v} " for v in OTHER.column(name).to_pylist()], pa.large_string())
            for name in OTHER.column_names
        }
    )
    assert_same(pipeline.transform(texts), pipeline.transform(OTHER))
    coded = OTHER.set_column(2, "color", OTHER.column("color").dictionary_encode())
    assert_same(pipeline.transform(coded), pipeline.transform(OTHER))


def test_unseen_values_are_encoded():
    row = OTHER.slice(0, 1).set_column(2, "color", pa.array(["mauve"])).set_column(0, "size", pa.array([1e300]))
    for pipeline in PIPELINES.values():
        batch = pipeline.transform(row)
        assert np.isfinite(batch.numeric).all()
        assert batch.categorical[0, 0] == 1


def test_a_row_that_cleaning_fails_is_refused():
    row = OTHER.slice(0, 2).set_column(0, "size", pa.array(["1", "big"]))
    with pytest.raises(DataError, match="a numeric column holds numbers") as caught:
        PIPELINES["dense"].transform(row)
    assert caught.value.where == "the table, row 1, column size"


def test_targets_weights_and_hashes_come_along_where_asked_for():
    table = raw_table()
    pipeline = pipeline_of("dense", table, roles={"weight": "value"})
    config = data_config(roles={"weight": "value"})
    cleaned = pipeline.cleaner.apply(table).table
    target = fit_target(pipeline.cleaner.schema, summary_of(pipeline.cleaner, table), config)
    rows = np.arange(200, dtype=np.uint64)
    batch = pipeline.encode(cleaned, target=target, weight=True, rows=rows)
    assert batch.target.tolist() == [int(y == "yes") for y in table.column("y").to_pylist()]
    np.testing.assert_array_equal(batch.weight, table.column("value").to_numpy().astype(np.float32))
    assert batch.rows is rows
    assert list(pipeline.encode(cleaned).arrays()) == ["numeric", "categorical"]
    assert PIPELINES["dense"].encode(cleaned, weight=True).weight is None
