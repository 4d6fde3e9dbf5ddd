import numpy as np
import pytest

from contracts.model import FamilyContract, fitted
from distml.config.train import TrainConfig
from distml.metrics import METRICS
from distml.models import trees
from distml.training import FitSettings, fit
from problems import problem, spec_of


class TestTrees(FamilyContract):
    family = trees.FAMILY


def test_the_matrix_is_numbers_then_codes():
    batch = problem("binary", n=4, num_numeric=2, cardinalities=(5, 3))
    matrix = trees.matrix(batch)
    assert matrix.dtype == np.float32
    np.testing.assert_array_equal(matrix[:, :2], batch.numeric)
    np.testing.assert_array_equal(matrix[:, 2:], batch.categorical)


def test_missing_numbers_are_predicted():
    model = fitted("trees", "binary")
    batch = problem("binary", n=30)
    batch.numeric[:] = np.nan
    assert np.isfinite(model.predict(batch)).all()


@pytest.mark.parametrize(
    ("task", "objective", "num_class"),
    [("binary", "binary", None), ("multiclass", "multiclass", 3), ("regression", "l2", None)],
)
def test_native_names(task, objective, num_class):
    spec = spec_of("trees", task, {"lr": 0.3})
    native = trees.native_params(spec.params, spec, seed=7, num_threads=2)
    assert native["objective"] == objective
    assert native.get("num_class") == num_class
    assert native["learning_rate"] == 0.3
    assert (native["seed"], native["num_threads"], native["deterministic"]) == (7, 2, True)
    assert set(trees.FAMILY.defaults) - {"lr"} <= set(native)


@pytest.mark.parametrize(("min_child_samples", "path_smooth"), [(1, 0.0), (2, 10.0)])
def test_leaves_of_one_row_are_grown_without_smoothing(min_child_samples, path_smooth):
    """LightGBM refuses both together."""
    spec = spec_of("trees", "binary", {"min_child_samples": min_child_samples})
    assert trees.native_params(spec.params, spec, seed=0, num_threads=1)["path_smooth"] == path_smooth
    settings = FitSettings(config=TrainConfig(max_epochs=1))
    model = fit(spec, problem("binary"), None, METRICS["roc_auc"], settings).model
    assert model.booster.num_trees() > 0
