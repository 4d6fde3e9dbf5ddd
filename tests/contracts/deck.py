"""What deals a loop its rows, held or read as they are needed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from distml.batch import FeatureBatch
from distml.config.augment import AugmentConfig
from distml.training.deck import auto_batch_size
from distml.training.stream import Dealing
from problems import problem, settings_of, spec_of


def numbered(n: int, task: str = "binary", **changes: Any) -> FeatureBatch:
    """n rows, each with a hash of its own and its number as a feature."""
    hashes = np.random.default_rng(7).permutation(n).astype(np.uint64)
    return replace(problem(task, n=n), rows=hashes, **changes)


class DealingContract:
    """A subclass deals a batch's rows."""

    def dealing(self, batch: FeatureBatch, task: str = "binary", **settings: Any) -> Dealing:
        raise NotImplementedError

    @pytest.mark.parametrize(("n", "size"), [(100, 32), (97, 32), (33, 32), (10, 32), (100, 1)])
    def test_an_epoch_deals_every_row_once(self, n, size):
        batch = numbered(n)
        dealing = self.dealing(batch, batch_size=size)
        steps = list(dealing.steps(1))
        assert len(dealing) == n
        assert len(steps) == dealing.num_steps
        assert all(len(step) == size for step in steps[:-1])
        dealt = torch.cat([step.numeric for step in steps]).numpy()
        np.testing.assert_array_equal(np.sort(dealt, axis=0), np.sort(batch.numeric, axis=0))

    def test_what_belongs_to_a_row_stays_with_it(self):
        batch = numbered(80, weight=np.arange(80, dtype=np.float32))
        known = {row.tobytes(): i for i, row in enumerate(batch.numeric)}
        for step in self.dealing(batch, batch_size=16).steps(1):
            index = [known[row.numpy().tobytes()] for row in step.numeric]
            assert step.target.tolist() == batch.target[index].tolist()
            assert step.weight.tolist() == batch.weight[index].tolist()
            assert step.categorical.tolist() == batch.categorical[index].tolist()

    def test_the_order_follows_from_seed_and_epoch(self):
        def order(seed: int, epoch: int) -> bytes:
            steps = self.dealing(numbered(90), batch_size=16, seed=seed).steps(epoch)
            return torch.cat([step.numeric for step in steps]).numpy().tobytes()

        assert order(1, 1) == order(1, 1)
        assert len({order(1, 1), order(1, 2), order(2, 1)}) == 3

    def test_a_step_has_the_rows_of_its_batches(self):
        dealing = self.dealing(numbered(100), batch_size=16, accumulate=2)
        assert [len(step) for step in dealing.steps(1)] == [32, 32, 32, 4]
        assert (dealing.batch_size, dealing.step_size) == (16, 32)

    def test_a_batch_size_is_chosen_by_the_rows(self):
        assert self.dealing(numbered(400)).batch_size == auto_batch_size(400)

    def test_parts_are_all_rows(self):
        batch = numbered(70)
        parts = torch.cat([part.numeric for part in self.dealing(batch, batch_size=16).parts()]).numpy()
        np.testing.assert_array_equal(np.sort(parts, axis=0), np.sort(batch.numeric, axis=0))

    def test_rows_are_weighted_where_they_have_weights(self):
        assert not self.dealing(numbered(40)).is_weighted
        assert self.dealing(numbered(40, weight=np.arange(40, dtype=np.float32))).is_weighted

    def test_balanced_classes_weigh_the_same(self):
        target = (np.arange(80) % 4 == 0).astype(np.int64)
        steps = list(self.dealing(numbered(80, target=target), batch_size=16, class_weights="balanced").steps(1))
        weight, of_class = torch.cat([s.weight for s in steps]), torch.cat([s.target for s in steps])
        sums = [float(weight[of_class == k].sum()) for k in (0, 1)]
        assert sums == pytest.approx([40, 40])

    def test_rows_are_varied_with_the_means_of_all(self):
        batch = numbered(120)
        batch = replace(batch, numeric=batch.numeric + np.float32(5))
        augment = AugmentConfig(tabular={"feature_dropout": 0.5})
        steps = list(self.dealing(batch, batch_size=40, augment=augment).steps(1))
        values, counts = torch.cat([step.numeric for step in steps])[:, 0].unique(return_counts=True)
        assert counts.max() > 30
        assert float(values[counts.argmax()]) == pytest.approx(batch.numeric[:, 0].mean(), abs=1e-4)


def parts_for(task: str, settings: dict[str, Any]) -> tuple[Any, torch.device, Any]:
    return spec_of("linear", task), torch.device("cpu"), settings_of(**settings)
