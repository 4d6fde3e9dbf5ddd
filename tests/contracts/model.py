"""What every model family and its fitted models must do."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from distml.batch import FeatureBatch
from distml.config.train import TrainConfig
from distml.errors import ConfigError
from distml.metrics import METRICS, metric_for
from distml.models import FAMILIES, Family, Model, ModelSpec, learned, load_model
from distml.training import FitSettings, fit
from distml.tune.distribution import parse_distribution
from problems import IMAGES, NUM_OUTPUTS, TASKS, problem, spec_of, with_images


def spec_for(family: str, task: str, **shape) -> ModelSpec:
    """A spec for the batches of `rows_for`."""
    spec = spec_of(family, task, **shape)
    return replace(spec, input=replace(spec.input, tensors=IMAGES)) if FAMILIES[family].needs_images else spec


def rows_for(family: str, task: str, n: int = 300, seed: int = 0, **shape) -> FeatureBatch:
    """Rows that the family can be fitted on: with images where it needs them."""
    batch = problem(task, n=n, seed=seed, **shape)
    return with_images(batch, seed) if FAMILIES[family].needs_images else batch


def fitted(family: str, task: str, train: FeatureBatch | None = None, **shape) -> Model:
    settings = FitSettings(config=TrainConfig(max_epochs=2), seed=1)
    train = rows_for(family, task, **shape) if train is None else train
    return fit(spec_for(family, task, **shape), train, None, metric_for("auto", task), settings).model


class FamilyContract:
    """A subclass names its `family`."""

    family: Family

    @pytest.fixture(scope="class", params=TASKS)
    @classmethod
    def task(cls, request) -> str:
        return request.param

    @pytest.fixture(scope="class")
    @classmethod
    def model(cls, task) -> Model:
        return fitted(cls.family.name, task)

    @pytest.fixture(scope="class")
    @classmethod
    def batch(cls, task) -> FeatureBatch:
        return rows_for(cls.family.name, task, n=60, seed=9)

    def test_is_known_by_its_name(self):
        assert FAMILIES[self.family.name] is self.family

    def test_completes_with_defaults(self):
        first = next(iter(self.family.defaults))
        assert self.family.complete({}) == dict(self.family.defaults)
        assert self.family.complete({first: 0.5}) == {**self.family.defaults, first: 0.5}

    def test_suggests_a_near_name(self):
        with pytest.raises(ConfigError, match=r"did you mean 'lr'\?") as caught:
            self.family.complete({"lrr": 1})
        assert caught.value.received == "lrr"
        assert caught.value.where == f"search.space.{self.family.name}"

    def test_lists_its_parameters_where_none_is_near(self):
        with pytest.raises(ConfigError) as caught:
            self.family.complete({"zzzz": 1})
        assert all(name in caught.value.remedy for name in self.family.defaults)

    def test_space_contains_the_defaults(self):
        assert set(self.family.space) <= set(self.family.defaults)
        for name, written in self.family.space.items():
            assert self.family.defaults[name] in parse_distribution(written, name), name

    def test_predictions_have_the_shape_of_the_task(self, task, model, batch):
        scores = model.predict(batch)
        assert scores.shape == ((60,) if task == "regression" else (60, NUM_OUTPUTS[task]))
        assert scores.dtype == np.float64
        assert np.isfinite(scores).all()

    def test_probabilities_sum_to_one(self, task, model, batch):
        if task != "regression":
            scores = model.predict(batch)
            assert (scores >= 0).all()
            np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-12)

    def test_an_empty_batch_has_no_predictions(self, task, model, batch):
        scores = model.predict(batch.take(slice(0, 0)))
        assert scores.shape == ((0,) if task == "regression" else (0, NUM_OUTPUTS[task]))

    def test_a_row_is_predicted_alike_alone_and_among_others(self, model, batch):
        alone = np.concatenate([model.predict(batch.take(slice(i, i + 1))) for i in range(10)])
        np.testing.assert_allclose(alone, model.predict(batch)[:10], rtol=1e-5, atol=1e-6)

    @pytest.mark.parametrize("size", [1, 7, 16, 17, 59])
    def test_a_row_is_scored_alike_whatever_rows_are_beside_it(self, model, batch, size):
        parts = [model.predict(batch.take(slice(start, start + size))) for start in range(0, 60, size)]
        np.testing.assert_array_equal(np.concatenate(parts), model.predict(batch))

    def test_predicts_identically_when_loaded(self, model, batch, tmp_path: Path):
        model.save(tmp_path)
        np.testing.assert_array_equal(load_model(tmp_path).predict(batch), model.predict(batch))

    def test_is_stored_as_data(self, model, tmp_path: Path):
        model.save(tmp_path)
        assert {path.suffix for path in tmp_path.iterdir()} <= {".json", ".safetensors", ".txt"}

    def test_its_spec_survives_json(self, model):
        assert ModelSpec.from_dict(json.loads(json.dumps(model.spec.to_dict()))) == model.spec

    def test_what_it_learns_of_the_same_rows_is_the_same(self, task):
        spec, train = spec_for(self.family.name, task), rows_for(self.family.name, task)
        once = learned(spec, train)
        assert learned(spec, train) == once
        assert learned(once, train.take(slice(0, 10))) == once  # not learned twice

    def test_is_fitted_alike_twice(self, task, model, batch):
        np.testing.assert_array_equal(fitted(self.family.name, task).predict(batch), model.predict(batch))

    def test_parameters_that_change_in_mid_fit_are_searched(self):
        assert set(self.family.tunable) <= set(self.family.space)

    def test_words_are_those_it_knows(self):
        for name, words in self.family.options.items():
            assert self.family.defaults[name] in words
            assert self.family.complete({name: {"choice": list(words)}})
            with pytest.raises(ConfigError, match="this parameter is a word; received nothing"):
                self.family.complete({name: "nothing"})

    def test_columns_without_variety_are_no_obstacle(self, task):
        train = rows_for(self.family.name, task)
        train.numeric[:, 0] = 3.0
        train.numeric[:, 1] = train.numeric[:, 1] > 0
        train.categorical[:] = 0
        assert np.isfinite(fitted(self.family.name, task, train).predict(train)).all()

    def test_a_row_may_be_left_over(self, task):
        """The last mini-batch of 33 rows, in batches of 32, is one row."""
        train = rows_for(self.family.name, task, n=33)
        assert np.isfinite(fitted(self.family.name, task, train).predict(train)).all()

    @pytest.mark.parametrize("shape", [{}, {"num_numeric": 0, "cardinalities": ()}], ids=["beside columns", "alone"])
    def test_images_are_learnt_from(self, task, shape, tmp_path: Path):
        spec = spec_of(self.family.name, task, **shape)
        spec = replace(spec, input=replace(spec.input, tensors=IMAGES))
        train, held_out = (with_images(problem(task, n=300, noise=2.0, seed=i, **shape), i) for i in (0, 1))
        metric = METRICS["rmse" if task == "regression" else "roc_auc"]
        model = fit(spec, train, None, metric, FitSettings(config=TrainConfig(max_epochs=10), seed=1)).model
        assert held_out.target is not None
        scores = model.predict(held_out)
        wanted = 0.5 * held_out.target.std() if task == "regression" else 0.9
        assert metric.better(metric(held_out.target, scores), wanted)
        model.save(tmp_path)
        np.testing.assert_array_equal(load_model(tmp_path).predict(held_out), scores)
        alone = np.concatenate([model.predict(held_out.take(slice(i, i + 1))) for i in range(10)])
        np.testing.assert_allclose(alone, scores[:10], rtol=1e-5, atol=1e-6)

    @pytest.mark.parametrize(
        "shape",
        [{"num_numeric": 0, "cardinalities": (4, 3)}, {"num_numeric": 3, "cardinalities": ()}],
        ids=["no numbers", "no categories"],
    )
    def test_columns_of_one_kind_are_enough(self, task, shape):
        batch = rows_for(self.family.name, task, n=20, seed=3, **shape)
        assert np.isfinite(fitted(self.family.name, task, **shape).predict(batch)).all()
