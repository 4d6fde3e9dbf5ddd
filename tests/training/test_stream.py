"""Rows read as they are needed: dealt like held ones, and fitted to the same model."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from contracts.deck import DealingContract, numbered, parts_for
from distml.batch import FeatureBatch
from distml.metrics import metric_for
from distml.storage import Storage
from distml.training import fit
from distml.training.deck import Deck
from distml.training.shards import Shards
from distml.training.stream import StreamDeck, deal, with_learned
from problems import problem, settings_of, spec_of


def shards_of(storage: Storage, batch: FeatureBatch, *, num_files: int = 7, rows_at_once: int = 20) -> Shards:
    """A batch's rows, dealt to files as preparation might."""
    keys = []
    for number, index in enumerate(np.array_split(np.arange(len(batch)), num_files)):
        keys.append(f"features/{number}.safetensors")
        storage.write_bytes(keys[-1], batch.take(index).to_bytes())
    return Shards(storage=storage, keys=tuple(keys), num_rows=len(batch), rows_at_once=rows_at_once)


def sorted_by_hash(batch: FeatureBatch) -> FeatureBatch:
    return batch.take(np.argsort(batch.rows, kind="stable"))


class TestDeck(DealingContract):
    def dealing(self, batch: FeatureBatch, task: str = "binary", **settings: Any):
        dealing = deal(batch, *parts_for(task, settings))
        assert isinstance(dealing, Deck)
        return dealing


class TestStreamDeck(DealingContract):
    @pytest.fixture(autouse=True)
    def _storage(self, tmp_path):
        self.storage = Storage(tmp_path)

    def dealing(self, batch: FeatureBatch, task: str = "binary", **settings: Any):
        dealing = deal(shards_of(self.storage, batch), *parts_for(task, settings))
        assert isinstance(dealing, StreamDeck)
        return dealing


def test_rows_of_one_group_are_dealt_as_held_ones_are(tmp_path):
    batch = numbered(100)
    held = deal(sorted_by_hash(batch), *parts_for("binary", {"batch_size": 16}))
    shards = shards_of(Storage(tmp_path), batch, rows_at_once=1_000)
    streamed = deal(shards, *parts_for("binary", {"batch_size": 16}))
    for epoch in (1, 2):
        for one, other in zip(held.steps(epoch), streamed.steps(epoch), strict=True):
            assert torch.equal(one.numeric, other.numeric)


def test_no_more_is_held_than_two_groups(tmp_path, monkeypatch):
    shards, held, most = shards_of(Storage(tmp_path), numbered(210), num_files=21), 0, 0
    read = Shards.read

    def counted(self, index):
        nonlocal held, most
        batch = read(self, index)
        held += len(batch)
        return batch

    monkeypatch.setattr(Shards, "read", counted)
    deck = deal(shards, *parts_for("binary", {"batch_size": 10}))
    held = seen = 0
    for step in deck.steps(1):
        seen += len(step)
        most = max(most, held - seen)
    assert seen == 210
    assert most <= 3 * 20  # one that is dealt, one that waits, one that is read


def test_rows_are_mixed_across_files(tmp_path):
    batch = numbered(200)
    shards = shards_of(Storage(tmp_path), batch, num_files=10, rows_at_once=60)
    place = {row.tobytes(): i // 20 for i, row in enumerate(batch.numeric)}
    (first, *_) = deal(shards, *parts_for("binary", {"batch_size": 32})).steps(1)
    assert len({place[row.numpy().tobytes()] for row in first.numeric}) == 3


@pytest.mark.parametrize("task", ["binary", "regression"])
@pytest.mark.parametrize("family", ["linear", "mlp"])
def test_a_streamed_fit_comes_to_the_held_ones_score(tmp_path, family, task):
    train = replace(problem(task, n=600), rows=np.random.default_rng(1).permutation(600).astype(np.uint64))
    validation = problem(task, n=300, seed=1)
    settings, metric = settings_of(max_epochs=12, seed=2), metric_for("auto", task)
    shards = shards_of(Storage(tmp_path), train, num_files=12, rows_at_once=100)
    held = fit(spec_of(family, task), train, validation, metric, settings)
    streamed = fit(spec_of(family, task), shards, validation, metric, settings)
    assert streamed.best_score == pytest.approx(held.best_score, rel=0.05)
    again = fit(spec_of(family, task), shards, validation, metric, settings)
    np.testing.assert_array_equal(again.outputs, streamed.outputs)


def test_what_is_learned_before_a_fit_is_the_same(tmp_path):
    train = numbered(300)
    spec = spec_of("mlp", "binary", {"numeric_embedding": "ple"})
    shards = shards_of(Storage(tmp_path), train)
    assert with_learned(spec, shards).learned == with_learned(spec, sorted_by_hash(train)).learned != {}


def test_a_sample_is_of_every_file(tmp_path):
    shards = shards_of(Storage(tmp_path), numbered(210), num_files=7)
    sample = shards.sample(30)
    assert len(sample) == 35
    assert len({int(np.flatnonzero(numbered(210).rows == row)[0]) // 30 for row in sample.rows}) == 7


def test_trees_hold_the_rows_and_say_so(tmp_path):
    train, metric = numbered(200), metric_for("auto", "binary")
    shards, settings = shards_of(Storage(tmp_path), train), settings_of(max_epochs=2)
    result = fit(spec_of("trees", "binary"), shards, None, metric, settings)
    assert result.notes == ("trees: holds all of its 200 training rows, as it can't be fitted from a stream",)
    held = fit(spec_of("trees", "binary"), sorted_by_hash(train), None, metric, settings)
    np.testing.assert_array_equal(result.fitted.predict(train), held.fitted.predict(train))
