"""Memory that runs out in the middle of a fit, raised as torch raises it."""

from __future__ import annotations

import pytest
import torch

from contracts.learner import stored
from distml.errors import TrainingError
from distml.metrics import METRICS
from distml.models.linear import FAMILY
from distml.training import fit
from distml.training.base import Notes
from distml.training.loop import NetworkLearner
from problems import problem, settings_of, spec_of

AUC = METRICS["roc_auc"]
SPEC = spec_of("linear", "binary", {"lr": 0.05})
TRAIN, VALIDATION = problem("binary", n=100), problem("binary", n=90, seed=1)


class Small:
    """A network's forward that has memory for so many rows while it is trained."""

    def __init__(self, module, most, in_validation=10**6):
        self.module, self.forward, self.most = module, module.forward, (in_validation, most)
        self.sizes = []

    def __call__(self, numeric, *others):
        if len(numeric) > self.most[self.module.training]:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        if self.module.training:
            self.sizes.append(len(numeric))
        return self.forward(numeric, *others)


def learner(most, notes=lambda line: None, **settings):
    made = NetworkLearner(SPEC, TRAIN, settings_of(batch_size=32, seed=2, **settings), Notes(notes))
    small = Small(made.module, most)
    made.module.forward = small
    return made, small


def weights(made):
    return torch.cat([value.flatten() for value in made.module.state_dict().values()])


def test_a_batch_that_does_not_fit_is_taken_in_halves():
    notes = []
    whole, _ = learner(most=32)
    halved, small = learner(most=16, notes=notes.append)
    for number in (1, 2):
        assert halved.epoch(number) == pytest.approx(whole.epoch(number), rel=1e-5)
    torch.testing.assert_close(weights(halved), weights(whole))
    assert small.sizes == [16, 16, 16, 16, 16, 16, 4] * 2
    assert notes == ["memory ran out: batches of 16 rows at once from here on, with 32 rows to a step as before"]


def test_what_a_subclass_does_with_gradients_is_done_once():
    class Counting(NetworkLearner):
        num_steps = 0

        def gradients(self, rows):
            loss = super().gradients(rows)
            self.num_steps += 1
            return loss

    made = Counting(SPEC, TRAIN, settings_of(batch_size=32, seed=2), Notes(lambda line: None))
    made.module.forward = Small(made.module, most=16)
    made.epoch(1)
    assert made.num_steps == made.deck.num_steps


def test_a_second_time_it_ends_the_fit():
    made, _ = learner(most=15)
    with pytest.raises(TrainingError, match="batches of 16 rows: OutOfMemoryError: CUDA out of memory") as caught:
        made.epoch(1)
    assert "train.batch_size" in caught.value.remedy


def test_a_batch_of_one_row_can_not_be_halved():
    made = NetworkLearner(SPEC, TRAIN, settings_of(batch_size=1), Notes(lambda line: None))
    made.module.forward = Small(made.module, most=0)
    with pytest.raises(TrainingError, match="batches of 1 rows"):
        made.epoch(1)


def test_what_was_halved_stays_so_with_the_state():
    halved, _ = learner(most=16)
    halved.epoch(1)
    other, small = learner(most=32)
    other.load_state(stored(halved.state()))
    assert other.epoch(2) == halved.epoch(2)
    assert max(small.sizes) == 16


def test_steps_of_several_batches_are_steps_of_their_rows():
    """Gradients that are accumulated by weight are those of one large batch."""
    batch, large = (
        learner(32, accumulate=2)[0],
        NetworkLearner(SPEC, TRAIN, settings_of(batch_size=64, seed=2), Notes(print)),
    )
    for number in (1, 2, 3):
        assert batch.epoch(number) == pytest.approx(large.epoch(number), rel=1e-5)
    torch.testing.assert_close(weights(batch), weights(large))


def test_validation_that_does_not_fit_ends_the_fit(monkeypatch):
    build = FAMILY.build

    def small(spec):
        module = build(spec)
        module.forward = Small(module, most=100, in_validation=50)
        return module

    monkeypatch.setattr(type(FAMILY), "build", property(lambda family: small), raising=False)
    with pytest.raises(TrainingError, match="90 validation rows: OutOfMemoryError"):
        fit(SPEC, TRAIN, VALIDATION, AUC, settings_of(max_epochs=1))
