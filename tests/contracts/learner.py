"""What every learner must do: repeat itself, and go on from another's state as that one would have."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
import torch

from distml.batch import FeatureBatch
from distml.training import Learner


class LearnerContract:
    """A subclass says how a learner begins, and on which rows it is asked for outputs."""

    def begin(self) -> Learner:
        """A learner that has learnt nothing yet, of the same rows, parameters and seed at every call."""
        raise NotImplementedError

    @pytest.fixture
    def batch(self) -> FeatureBatch:
        raise NotImplementedError

    def learnt(self, num_epochs: int) -> Learner:
        learner = self.begin()
        for number in range(1, num_epochs + 1):
            learner.epoch(number)
        return learner

    def test_it_repeats_itself(self, batch):
        np.testing.assert_array_equal(self.learnt(3).predict(batch), self.learnt(3).predict(batch))

    def test_every_epoch_changes_it(self, batch):
        learner = self.learnt(1)
        before = learner.predict(batch).copy()
        learner.epoch(2)
        assert (learner.predict(batch) != before).any()

    def test_outputs_are_float64_one_of_each_row(self, batch):
        outputs = self.learnt(1).predict(batch)
        assert (outputs.dtype, len(outputs)) == (np.float64, len(batch))

    @pytest.mark.parametrize("at", [1, 2])
    def test_another_goes_on_from_its_state(self, at, batch):
        whole, other = self.begin(), self.begin()
        losses = [whole.epoch(number) for number in range(1, 5)]
        other.load_state(stored(self.learnt(at).state()))
        np.testing.assert_array_equal([other.epoch(number) for number in range(at + 1, 5)], losses[at:])
        np.testing.assert_array_equal(other.predict(batch), whole.predict(batch))

    def test_a_state_that_was_loaded_is_a_state(self, batch):
        first, second = self.begin(), self.begin()
        first.load_state(stored(self.learnt(2).state()))
        second.load_state(stored(first.state()))
        np.testing.assert_array_equal(second.predict(batch), first.predict(batch))

    def test_the_model_is_what_was_kept(self, batch):
        learner = self.learnt(2)
        learner.keep()
        kept = learner.predict(batch).copy()
        learner.epoch(3)
        if (model := learner.model()) is not None:
            np.testing.assert_allclose(model.predict(batch), kept, atol=1e-12)

    def test_what_was_kept_goes_on_with_the_state(self, batch):
        learner, other = self.learnt(2), self.begin()
        learner.keep()
        kept = learner.predict(batch).copy()
        learner.epoch(3)
        other.load_state(stored(learner.state()))
        if (model := other.model()) is not None:
            np.testing.assert_allclose(model.predict(batch), kept, atol=1e-12)

    def test_asking_for_the_model_changes_nothing(self, batch):
        learner, asked = self.learnt(2), self.learnt(2)
        asked.keep()
        asked.model()
        assert same(asked.epoch(3), learner.epoch(3))
        np.testing.assert_array_equal(asked.predict(batch), learner.predict(batch))


def stored(state: dict) -> dict:
    """The state as a checkpoint holds it: nothing in it executes."""
    content = io.BytesIO()
    torch.save(state, content)
    content.seek(0)
    return torch.load(content, weights_only=True)


def same(a: float, b: float) -> bool:
    return a == b or (math.isnan(a) and math.isnan(b))
