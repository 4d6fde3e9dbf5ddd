"""Training rows that are read in each epoch: when, what it comes to, and what can't be had with it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from distml.batch import FeatureBatch, InputSpec
from distml.cluster.capacity import Capacity, Node
from distml.config import RunConfig, parse_config
from distml.data import LocalEngine
from distml.errors import ConfigError
from distml.lifecycle import streaming
from distml.lifecycle.prepare import prepare
from distml.lifecycle.prepared import Prepared
from distml.lifecycle.run import Resources, run
from distml.lifecycle.streaming import held_bytes, reading_of, row_bytes
from distml.storage import Storage
from distml.tracking import MemoryTracker
from distml.training.shards import Shards

CONFIG = """
name: streamed
data: {source: {uri: TABLES}, target: sold}
model: {families: [linear, trees]}
search: {num_samples: 2}
train: {max_epochs: 6, batch_size: 32}
"""


@pytest.fixture(scope="module")
def tables(tmp_path_factory) -> Path:
    """Six files of a table."""
    folder, rng = tmp_path_factory.mktemp("tables"), np.random.default_rng(0)
    for number in range(6):
        a, b = rng.normal(size=100), rng.choice(["x", "y"], 100)
        sold = np.where(a + (b == "x") + rng.normal(0, 0.5, 100) > 0.5, "yes", "no")
        pq.write_table(pa.table({"a": a, "b": b, "sold": sold}), folder / f"{number}.parquet")
    return folder


def config_of(tables: Path, store: Path, *overrides: str) -> RunConfig:
    return parse_config(CONFIG.replace("TABLES", str(tables)), [f"storage={store}", *overrides])


@pytest.fixture(scope="module")
def prepared(tables, tmp_path_factory) -> Prepared:
    store = tmp_path_factory.mktemp("store")
    return prepare(config_of(tables, store), Storage(store), LocalEngine())


def test_rows_are_read_from_every_file(prepared, tables, tmp_path):
    reading = reading_of(config_of(tables, tmp_path, "train.stream=always"), prepared, is_local=True)
    assert reading.streamed == {"dense"}
    assert reading.lines[0].startswith("networks read their rows from storage in each epoch: ")
    shards, held = reading.rows("dense", "train"), prepared.features("dense", "train")
    assert isinstance(shards, Shards)
    assert (len(shards.keys), len(shards)) == (6, len(held))
    for name, array in shards.whole().arrays().items():
        np.testing.assert_array_equal(array, held.arrays()[name])
    assert len(reading.rows("dense", "train", "validation")) == len(prepared.fit_rows("dense"))
    assert isinstance(reading.rows("trees", "train"), FeatureBatch)


def test_the_linear_baseline_of_a_search_for_trees_streams_too(prepared, tables, tmp_path):
    config = config_of(tables, tmp_path, "train.stream=always", "model.families=[trees]")
    assert reading_of(config, prepared, is_local=True).streamed == {"dense"}


def test_auto_goes_by_size(prepared, tables, tmp_path, monkeypatch):
    config = config_of(tables, tmp_path)
    assert reading_of(config, prepared, is_local=True).lines == ()
    size = prepared.num_rows["train"] * row_bytes(streaming.inputs_of(prepared, "dense"))
    monkeypatch.setattr(streaming, "_limit_bytes", lambda **_: size)
    assert not reading_of(config, prepared, is_local=True).streamed
    monkeypatch.setattr(streaming, "_limit_bytes", lambda **_: size - 1)
    reading = reading_of(config, prepared, is_local=True)
    assert reading.streamed == {"dense"}
    assert "more than the" in reading.lines[0]
    held = reading_of(config_of(tables, tmp_path, "split.folds=3"), prepared, is_local=True)
    assert not held.streamed
    assert "held all the same: folds are dealt" in held.lines[0]
    assert not reading_of(config_of(tables, tmp_path, "train.stream=never"), prepared, is_local=True).lines


@pytest.mark.parametrize(
    ("override", "told"),
    [("split.folds=3", "leave split.folds out"), ("search.workers_per_trial=2", "leave search.workers_per_trial out")],
)
def test_what_needs_all_rows_is_refused_with_always(tables, tmp_path, override, told):
    with pytest.raises(ConfigError, match=told):
        run(config_of(tables, tmp_path / "store", "train.stream=always", override), Resources(tracker=MemoryTracker()))


def test_a_row_takes_what_its_parts_take():
    assert row_bytes(InputSpec(num_numeric=3, cardinalities=(4, 5), num_outputs=2)) == 12 + 16 + 20


def test_a_run_comes_to_the_same_scores(tables, tmp_path, monkeypatch):
    monkeypatch.setattr(streaming, "GROUP_BYTES", 2_000)  # two files or so
    results = {
        stream: run(config_of(tables, tmp_path / stream, f"train.stream={stream}"), Resources(tracker=MemoryTracker()))
        for stream in ("never", "always")
    }
    held, streamed = results["never"], results["always"]
    assert streamed.searched.metric == held.searched.metric
    for one, other in zip(held.searched.records, streamed.searched.records, strict=True):
        assert dataclasses.replace(
            one, score=0, best_epoch=0, num_epochs=0, seconds=0, notes=()
        ) == dataclasses.replace(other, score=0, best_epoch=0, num_epochs=0, seconds=0, notes=())
        assert other.score == pytest.approx(one.score, rel=0.02)
    assert streamed.evaluated.metrics["roc_auc"] == pytest.approx(held.evaluated.metrics["roc_auc"], rel=0.03)


@pytest.mark.parametrize(
    ("overrides", "held"),
    [([], 70), (["train.stream=never"], 170), (["train.stream=always"], 70), (["split.folds=3"], 170)],
)
def test_a_plan_counts_what_is_held(tables, tmp_path, overrides, held):
    capacity = Capacity(nodes=(Node(name="a", cpu=2, object_store=150), Node(name="head", cpu=0, object_store=10)))
    sizes = {"dense": 100, "trees": 70}
    assert held_bytes(config_of(tables, tmp_path, *overrides), sizes, capacity) == held
    assert held_bytes(config_of(tables, tmp_path), {"dense": 75}, capacity) == 75
