"""What every engine must do for every family: score as the model that was fitted, for any number of rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from contracts.model import fitted, rows_for
from distml.batch import FeatureBatch
from distml.models import Model
from problems import NUM_OUTPUTS, TASKS

TOLERANCE = 1e-5


class EngineContract:
    """A subclass names its `family` and makes the engine of a fitted model."""

    family: str

    @classmethod
    def engine_of(cls, model: Model, batch: FeatureBatch) -> Model:
        raise NotImplementedError

    @pytest.fixture(scope="class", params=TASKS)
    @classmethod
    def task(cls, request) -> str:
        return request.param

    @pytest.fixture(scope="class")
    @classmethod
    def model(cls, task) -> Model:
        return fitted(cls.family, task)

    @pytest.fixture(scope="class")
    @classmethod
    def batch(cls, task) -> FeatureBatch:
        return rows_for(cls.family, task, n=700, seed=9)

    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls, model, batch) -> Model:
        return cls.engine_of(model, batch.take(slice(0, 50)))

    def test_scores_rows_that_it_has_not_seen_as_the_model_does(self, model, engine, batch):
        found, wanted = engine.predict(batch), model.predict(batch)
        assert (found.dtype, found.shape) == (wanted.dtype, wanted.shape)
        np.testing.assert_allclose(found, wanted, rtol=TOLERANCE, atol=TOLERANCE)

    @pytest.mark.parametrize("size", [1, 2, 3, 7, 16, 17, 64, 257])
    def test_a_row_is_scored_alike_whatever_rows_are_beside_it(self, engine, batch, size):
        parts = [engine.predict(batch.take(slice(start, start + size))) for start in range(0, 700, size)]
        np.testing.assert_array_equal(np.concatenate(parts), engine.predict(batch))

    def test_no_rows_have_no_scores(self, task, engine, batch):
        scores = engine.predict(batch.take(slice(0, 0)))
        assert scores.shape == ((0,) if task == "regression" else (0, NUM_OUTPUTS[task]))

    def test_values_that_training_never_had_are_scored_alike(self, model, engine, batch):
        strange = replace(batch, numeric=batch.numeric * 1e4, categorical=np.zeros_like(batch.categorical))
        found, wanted = engine.predict(strange), model.predict(strange)
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=TOLERANCE)

    @pytest.mark.parametrize(
        "shape",
        [{"num_numeric": 0, "cardinalities": (4, 3)}, {"num_numeric": 3, "cardinalities": ()}],
        ids=["no numbers", "no categories"],
    )
    def test_columns_of_one_kind_are_enough(self, task, shape):
        model, rows = fitted(self.family, task, **shape), rows_for(self.family, task, n=40, seed=3, **shape)
        engine = self.engine_of(model, rows)
        np.testing.assert_allclose(engine.predict(rows), model.predict(rows), rtol=TOLERANCE, atol=TOLERANCE)
