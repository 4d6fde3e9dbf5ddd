"""Few rows taken one by one come out as a table of them would, or are left to the way of tables."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distml.config.features import FeaturesConfig
from distml.derive import with_derived
from distml.errors import DataError
from distml.features import FeaturePipeline, fit_features
from distml.features.few import MAX_ROWS, FewRows
from distml.records import records_from_table, table_from_records
from tables import cleaner_of, raw_table, summary_of

FEATURES: dict[str, dict[str, Any]] = {
    "as it is": {},
    "scaled": {"numeric": {"scale": "standard", "indicator": True}, "columns": {"count": {"scale": "log1p"}}},
    "onehot": {"categorical": {"encode": "onehot", "min_count": 1}},
    "bounded": {
        "numeric": {"scale": "robust", "clip": {"quantiles": [0.1, 0.9]}},
        "columns": {"count": {"scale": "quantile", "indicator": True, "clip": {"min": 0}}},
    },
    "binned": {"columns": {"count": {"bins": 4}}},
    "hashed": {"categorical": {"encode": "hash"}, "columns": {"color": {"encode": "count"}}},
}
CLEAN: dict[str, dict[str, Any]] = {
    "nothing": {},
    "rules": {
        "rules": {
            "count": {"min": 0, "max": 8, "on_violation": "clip"},
            "size": {"min": -2, "on_violation": "null"},
            "color": {"allowed": ["red", "green", "blue"], "on_violation": "drop"},
        },
        "replace": {"color": {"rot": "red"}, "count": {99: None}},
    },
    "as they are": {"strip": False},
}


def pipeline_of(recipe: str, features: str, clean: str) -> FeaturePipeline:
    table = raw_table(300).drop_columns(["value"])
    cleaner = cleaner_of(table, CLEAN[clean], source={"uri": "memory", "missing": ["?"]})
    config = FeaturesConfig.model_validate(FEATURES[features])
    return fit_features(recipe, cleaner, summary_of(cleaner, table), config).pipeline


PIPELINES = [
    pipeline_of(recipe, features, clean) for recipe in ("dense", "trees") for features in FEATURES for clean in CLEAN
]
NUMBERS = st.one_of(
    st.none(), st.floats(), st.integers(), st.floats(-3, 3), st.integers(0, 12), st.sampled_from([99, "3", True, 0.0])
)
TEXTS = st.one_of(
    st.none(),
    st.sampled_from(["red", "green", "blue", "rot", "?", "", " red", "red ", "pink", "é", "\u3000red", "1"]),
    st.text(max_size=3),
    st.booleans(),
    st.integers(0, 3),
)
TRUTHS = st.one_of(st.none(), st.booleans(), st.sampled_from(["true", "false", "TRUE", "1", "no", 1, 0]))
DATES = st.one_of(st.none(), st.sampled_from(["2024-03-01", "2024-03-01T12:30:00", "1. March", "", 20240301]))
ROWS = st.lists(st.fixed_dictionaries({"size": NUMBERS, "count": NUMBERS, "color": TEXTS, "flag": TRUTHS, "at": DATES}),
                min_size=1, max_size=4)  # fmt: skip


def by_table(pipeline: FeaturePipeline, rows: list[dict[str, Any]]) -> dict[str, np.ndarray] | None:
    """The features by the way of tables; None where that refuses a row."""
    try:
        cleaned = pipeline.clean(table_from_records(rows, pipeline.cleaner.schema))
    except DataError:
        return None
    return pipeline.encode(cleaned.table).arrays() if cleaned.kept.all() else None


@given(st.sampled_from(PIPELINES), ROWS)
def test_what_is_taken_is_bit_for_bit_what_a_table_gives(pipeline, rows):
    few = FewRows.of(pipeline)
    assert few is not None
    batch = few.encode(rows)
    wanted = by_table(pipeline, rows)
    if batch is None:
        return
    assert wanted is not None
    found = batch.arrays()
    assert found.keys() == wanted.keys()
    for name, array in wanted.items():
        assert found[name].dtype == array.dtype
        assert found[name].tobytes() == array.tobytes()


@pytest.mark.parametrize("pipeline", PIPELINES)
@pytest.mark.parametrize("n", [1, 2, 40, MAX_ROWS])
def test_as_many_rows_as_are_taken_come_out_as_their_table(pipeline, n):
    table = raw_table(MAX_ROWS, seed=4).select(["size", "count", "color", "flag", "at"]).slice(0, n)
    rows = records_from_table(table)
    few = FewRows.of(pipeline)
    assert few is not None
    batch, wanted = few.encode(rows), by_table(pipeline, rows)
    if batch is None:  # where a rule moves or drops one of so many rows
        assert n > 2 and pipeline.cleaner.rules
        return
    assert wanted is not None
    assert {name: array.tobytes() for name, array in batch.arrays().items()} == {
        name: array.tobytes() for name, array in wanted.items()
    }


@pytest.mark.parametrize("rows", [[None], [[0.5, 3, "red", True, None]], ["size"], [{}]])
def test_what_is_no_whole_row_goes_the_way_of_tables(rows):
    few = FewRows.of(PIPELINES[0])
    assert few is not None and few.encode(rows) is None


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_usual_rows_are_taken(pipeline):
    rows = [
        {"size": 0.5, "count": 3, "color": "red", "flag": True, "at": "2024-03-01T12:30:00"},
        {"size": None, "count": None, "color": None, "flag": None, "at": None},
        {"size": -1, "count": 4.0, "color": "green", "flag": "false", "at": "2024-03-01"},
    ]
    few = FewRows.of(pipeline)
    assert few is not None
    batch = few.encode(rows)
    assert batch is not None and len(batch) == 3


@pytest.mark.parametrize(
    "change",
    [{"size": "0.5"}, {"size": float("nan")}, {"count": True}, {"count": 2**60}, {"color": " red"}, {"color": "?"},
     {"color": ""}, {"color": ["red"]}, {"color": {}}, {"flag": 1}, {"size": 10**400},
     {"size": []}, {"flag": "yes"}, {"at": "soon"}, {"at": 3}],
)  # fmt: skip
def test_unusual_values_go_the_way_of_tables(change):
    few = FewRows.of(pipeline_of("dense", "as it is", "nothing"))
    usual = {"size": 0.5, "count": 3, "color": "red", "flag": True, "at": None}
    assert few is not None and few.encode([usual]) is not None
    assert few.encode([usual, {**usual, **change}]) is None
    assert few.encode([{name: value for name, value in usual.items() if name not in change}]) is None


def test_a_category_named_by_a_number_goes_the_way_of_tables_where_it_may_be_written_otherwise():
    table = raw_table(300).drop_columns(["value"])
    cleaner = cleaner_of(table, kinds={"count": "categorical"})
    pipeline = fit_features("dense", cleaner, summary_of(cleaner, table), FeaturesConfig()).pipeline
    few = FewRows.of(pipeline)
    usual = {"size": 0.5, "count": "3", "color": "red", "flag": True, "at": None}
    assert few is not None and few.encode([usual]) is not None
    assert few.encode([{**usual, "count": "3.0"}]) is None
    rows = [usual, {**usual, "count": "3.0"}, {**usual, "count": 3}, {**usual, "count": 3.0}]
    encoded = pipeline.transform(table_from_records(rows, pipeline.cleaner.schema)).categorical
    assert (encoded == encoded[0]).all()


def test_derived_columns_are_made_of_tables():
    table = raw_table(50).drop_columns(["value"])
    cleaner = cleaner_of(table)
    config = FeaturesConfig.model_validate({"derived": {"double": "size * 2"}})
    cleaner = replace(cleaner, schema=with_derived(cleaner.schema, config))
    assert FewRows.of(fit_features("trees", cleaner, summary_of(cleaner, table), config).pipeline) is None
