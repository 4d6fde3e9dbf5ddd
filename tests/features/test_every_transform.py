"""What holds for every transform: each alone, and all kinds of pipelines that the config can ask for."""

import pickle
from dataclasses import fields
from datetime import datetime
from itertools import pairwise

import numpy as np
import orjson
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distml.batch import FeatureBatch
from distml.features import FeaturePipeline
from distml.hashing import row_hashes
from tables import assert_same, pipeline_of, raw_table, target_encoded

CONFIGS = {
    "robust": {"numeric": {"scale": "robust", "impute": "constant", "fill_value": 0.5}},
    "minmax": {"numeric": {"scale": "minmax", "clip": {"quantiles": [0.05, 0.95]}}},
    "log1p": {"numeric": {"scale": "log1p"}, "categorical": {"encode": "onehot"}},
    "raw": {"numeric": {"scale": "none", "indicator": False}, "categorical": {"encode": "count"}},
    "bins": {"numeric": {"bins": 8}, "categorical": {"encode": "hash", "num_buckets": 3}},
    "dates": {"datetime": {"parts": ["year", "month", "day_of_year", "weekday", "hour", "epoch"]}},
    "words": {"text": {"num_buckets": 16}},
    "chars": {"text": {"tokens": "chars", "ngrams": [1, 3], "num_buckets": 16}},
}
NOTES = np.array(["a good day", "Bad night!", "", None, "good night, good day", "été à Rome"], object)


def with_notes(table: pa.Table, seed: int = 0) -> pa.Table:
    notes = np.random.default_rng(seed).choice(NOTES, table.num_rows).tolist()
    return table.append_column("note", pa.array(notes, pa.string()))


TRAINING, OTHER = with_notes(raw_table()), with_notes(raw_table(120, seed=7), seed=1)
OTHER = pa.concat_tables([OTHER, OTHER.take([3]).set_column(2, "color", pa.array(["mauve"]))]).combine_chunks()
DATA = {"kinds": {"note": "text"}}
PIPELINES = {
    f"{recipe}-{name}": pipeline_of(recipe, TRAINING, features, **DATA)
    for recipe in ("dense", "trees")
    for name, features in CONFIGS.items()
} | {f"{recipe}-target": target_encoded(recipe, TRAINING, **DATA) for recipe in ("dense", "trees")}
every_pipeline = pytest.mark.parametrize("pipeline", PIPELINES.values(), ids=PIPELINES)


def encoded(pipeline: FeaturePipeline, cleaned: pa.Table, is_training: bool = False) -> FeatureBatch:
    return pipeline.encode(cleaned, rows=row_hashes(cleaned), is_training=is_training)


@pytest.mark.parametrize("is_training", [False, True], ids=["other", "training"])
@every_pipeline
@settings(max_examples=4)
@given(at=st.lists(st.integers(0, 121), max_size=4))
def test_parts_are_encoded_as_the_whole(pipeline, at, is_training):
    cleaned = pipeline.clean(OTHER).table
    cuts = sorted({0, *at, cleaned.num_rows})
    parts = [encoded(pipeline, cleaned.slice(a, b - a), is_training) for a, b in pairwise(cuts)]
    assert_same(FeatureBatch.concat(parts), encoded(pipeline, cleaned, is_training))


@every_pipeline
def test_a_row_alone_is_encoded_as_among_others(pipeline):
    cleaned = pipeline.clean(OTHER.slice(91)).table
    rows = [encoded(pipeline, cleaned.slice(i, 1)) for i in range(cleaned.num_rows)]
    assert_same(FeatureBatch.concat(rows), encoded(pipeline, cleaned))


@every_pipeline
def test_blocks_leave_no_seam(pipeline, monkeypatch):
    cleaned = pipeline.clean(OTHER).table
    whole = encoded(pipeline, cleaned)
    monkeypatch.setattr("distml.features.pipeline._BLOCK", 50)
    assert_same(encoded(pipeline, cleaned), whole)


@every_pipeline
@pytest.mark.parametrize("travelled", [
    lambda pipeline: FeaturePipeline.from_dict(orjson.loads(orjson.dumps(pipeline.to_dict()))),
    lambda pipeline: pickle.loads(pickle.dumps(pipeline)),
], ids=["json", "pickle"])  # fmt: skip
def test_pipelines_travel(pipeline, travelled):
    copy, cleaned = travelled(pipeline), pipeline.clean(OTHER).table
    assert copy == pipeline
    assert copy.feature_names == pipeline.feature_names
    for is_training in (False, True):
        assert_same(encoded(copy, cleaned, is_training), encoded(pipeline, cleaned, is_training))


@every_pipeline
def test_codes_and_chunks_are_encoded_as_plain_texts(pipeline):
    cleaned = pipeline.clean(OTHER).table
    coded = pa.table({
        name: column.dictionary_encode() if pa.types.is_string(column.type) else column
        for name, column in zip(cleaned.column_names, cleaned.columns, strict=True)
    })  # fmt: skip
    parts = [coded.slice(0, 40), coded.slice(40)]
    chunked = pa.concat_tables([pa.Table.from_batches(part.to_batches()) for part in parts])
    for same in (coded, chunked):
        assert_same(pipeline.encode(same), pipeline.encode(cleaned))


@every_pipeline
def test_there_is_a_distinct_name_for_every_column(pipeline):
    batch = pipeline.transform(OTHER)
    assert len(pipeline.feature_names) == batch.numeric.shape[1] + batch.categorical.shape[1]
    assert len(set(pipeline.feature_names)) == len(pipeline.feature_names)
    assert [t.width for t in pipeline.numeric] == [len(t.names) for t in pipeline.numeric]
    assert [t.width for t in pipeline.categorical] == [1] * len(pipeline.categorical)


@every_pipeline
def test_networks_get_finite_numbers_and_codes_in_range(pipeline):
    strange = pa.table({
        "size": [1e300, -1e300, None], "count": [10**15, -(10**15), None], "color": ["", "mauve", None],
        "flag": ["true", None, "false"], "at": [datetime(1, 1, 1), datetime(9999, 12, 31), None],
        "value": [-1e9, 0.0, None], "note": ["", "\u2603" * 50, None],
    })  # fmt: skip
    batch, spec = pipeline.transform(strange), pipeline.input_spec(1)
    assert np.isfinite(batch.numeric).all() or pipeline.recipe == "trees"
    assert not np.isinf(batch.numeric).any()
    assert ((batch.categorical >= 0) & (batch.categorical < np.array(spec.cardinalities))).all()


def test_every_kind_of_transform_is_tried():
    from distml.features.pipeline import _KINDS

    tried = {type(t) for p in PIPELINES.values() for t in (*p.numeric, *p.categorical)}
    assert tried == set(_KINDS.values())


@every_pipeline
def test_no_field_is_an_array(pipeline):
    """Fields are what JSON holds; arrays are kept beside them."""
    for transform in (*pipeline.numeric, *pipeline.categorical):
        for field in fields(transform):
            assert not isinstance(getattr(transform, field.name), np.ndarray)
