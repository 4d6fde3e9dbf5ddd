import numpy as np
import pytest

from distml.batch import FeatureBatch
from distml.models.bins import learn_bins
from problems import spec_of


def bins_of(*columns, num_bins=4):
    numeric = np.column_stack(columns).astype(np.float32)
    batch = FeatureBatch(numeric=numeric, categorical=np.empty((len(numeric), 0), np.int64))
    return learn_bins(spec_of("tabm", "binary", {"num_bins": num_bins}), batch)["bins"]


def test_bins_hold_as_many_rows_each():
    rng = np.random.default_rng(0)
    assert bins_of(rng.permutation(101)) == [[0, 25, 50, 75, 100]]


def test_equal_edges_are_one():
    assert bins_of([0] * 60 + [1] * 20 + [2] * 20) == [[0, 1, 2]]


@pytest.mark.parametrize("column", [[7] * 10, [0, 1] * 5, [0] * 999 + [1]], ids=["constant", "indicator", "rare"])
def test_a_column_that_one_bin_would_do_for_has_none(column):
    assert bins_of(column) == [None]


def test_bins_too_narrow_for_float32_are_left_out():
    assert bins_of([0, 1e-9, 1, 2, 3] * 20, num_bins=50) == [[0, 1, 2, 3]]


def test_no_rows_and_no_columns_have_no_bins():
    assert bins_of(np.empty(0)) == [None]
    empty = FeatureBatch(numeric=np.empty((5, 0), np.float32), categorical=np.zeros((5, 1), np.int64))
    assert learn_bins(spec_of("tabm", "binary"), empty) == {"bins": []}


def test_there_are_none_where_numbers_are_embedded_otherwise():
    batch = FeatureBatch(numeric=np.zeros((5, 1), np.float32), categorical=np.zeros((5, 0), np.int64))
    assert learn_bins(spec_of("mlp", "binary", {"numeric_embedding": "plr"}), batch) == {}


def test_many_rows_are_sampled_evenly():
    (edges,) = bins_of(np.arange(1_000_000), num_bins=2)
    np.testing.assert_allclose(edges, [0, 500_000, 1_000_000], atol=100)
