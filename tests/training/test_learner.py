"""Networks under every setting, trees and folds: all are learners, and all go on to the bit."""

from dataclasses import replace

import numpy as np
import pytest

from contracts.learner import LearnerContract
from distml.config.augment import AugmentConfig
from distml.models import ModelSpec
from distml.training import Learner
from distml.training.base import Notes
from distml.training.fit import begin
from distml.training.folds import FoldsLearner
from problems import problem, settings_of, spec_of

TRAIN, HELD_OUT = problem("multiclass", n=150, noise=1.0), problem("multiclass", n=40, seed=1)
NUMBERS = problem("regression", n=150, noise=1.0)
MLP = spec_of("mlp", "multiclass", {"width": 16, "num_blocks": 2, "dropout": 0.3, "lr": 0.01})
TREES = spec_of("trees", "multiclass", {"min_child_samples": 5})
TABULAR = {"tabular": {"noise": 0.1, "mixup": 0.3}}
OPTIONS = {
    "plain": {},
    "cosine": {"schedule": "cosine", "warmup_epochs": 1.5},
    "linear": {"schedule": "linear"},
    "one_cycle": {"schedule": "one_cycle"},
    "plateau": {"schedule": "plateau"},
    "ema": {"averaging": {"ema": 0.9}},
    "swa": {"averaging": {"swa": 2}},
    "accumulate": {"accumulate": 3, "batch_size": 20},
    "smoothing": {"label_smoothing": 0.1},
    "balanced": {"class_weights": "balanced"},
    "bf16": {"precision": "bf16"},
    "unclipped": {"clip_norm": None},
    "augmented": {"augment": AugmentConfig.model_validate(TABULAR)},
    "all": {
        "schedule": "cosine", "warmup_epochs": 1, "averaging": {"ema": 0.9}, "accumulate": 2, "batch_size": 20,
        "label_smoothing": 0.1, "class_weights": "balanced", "augment": AugmentConfig.model_validate(TABULAR),
    },
}  # fmt: skip


def begun(spec: ModelSpec = MLP, rows=TRAIN, **settings) -> Learner:
    return begin(spec, rows, settings_of(**{"max_epochs": 6, "seed": 7, **settings}), Notes(lambda line: None))


class OnHeldOut(LearnerContract):
    @pytest.fixture
    def batch(self):
        return HELD_OUT


@pytest.mark.parametrize("option", OPTIONS, scope="class")
class TestNetworks(OnHeldOut):
    @pytest.fixture(autouse=True)
    def _option(self, option):
        self.options = OPTIONS[option]

    def begin(self):
        return begun(**self.options)


@pytest.mark.parametrize("family", ["resnet", "tabm", "linear"], scope="class")  # resnet has batch normalisation
class TestFamiliesWithAverages(OnHeldOut):
    @pytest.fixture(autouse=True)
    def _family(self, family):
        self.family = family

    def begin(self):
        return begun(spec_of(self.family, "multiclass"), averaging={"ema": 0.9}, schedule="cosine", accumulate=2)


class TestTrees(OnHeldOut):
    def begin(self):
        return begun(TREES)


class TestTreesOfAllRowsAndColumns(OnHeldOut):
    def begin(self):
        params = {"min_child_samples": 5, "bagging_fraction": 1.0, "feature_fraction": 1.0}
        return begun(spec_of("trees", "multiclass", params))


class TestTreesWithoutASplit(OnHeldOut):
    """A round that finds no split leaves no tree: there are fewer than were asked for, and nothing changes."""

    def begin(self):
        weight = np.linspace(0.5, 2, len(TRAIN)).astype(np.float32)
        return begun(spec_of("trees", "multiclass", {"min_child_samples": 100}), replace(TRAIN, weight=weight))

    def test_every_epoch_changes_it(self):
        learner = self.learnt(1)
        before = learner.predict(HELD_OUT).copy()
        learner.epoch(2)
        np.testing.assert_array_equal(learner.predict(HELD_OUT), before)


class TestTreesOfNumbers(LearnerContract):
    @pytest.fixture
    def batch(self):
        return problem("regression", n=40, seed=1)

    def begin(self):
        return begun(spec_of("trees", "regression", {"min_child_samples": 5}), NUMBERS)


DEALT = replace(TRAIN, fold=(np.arange(len(TRAIN)) % 3).astype(np.int8))


@pytest.mark.parametrize("spec", [MLP, TREES], ids=["mlp", "trees"], scope="class")
class TestFolds(LearnerContract):
    @pytest.fixture(autouse=True)
    def _spec(self, spec):
        self.spec = spec

    @pytest.fixture
    def batch(self):
        return DEALT

    def begin(self):
        settings = settings_of(max_epochs=6, seed=7, averaging={"ema": 0.9})
        return FoldsLearner(self.spec, DEALT, settings, Notes(lambda line: None))
