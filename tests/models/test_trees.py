import numpy as np
import pytest

from contracts.model import FamilyContract, fitted
from distml.models import trees
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
