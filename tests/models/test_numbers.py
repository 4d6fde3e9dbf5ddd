from dataclasses import replace

import pytest
import torch

from distml.models.numbers import numbers_input
from problems import spec_of


def layer_of(kind, bins=None):
    spec = spec_of("mlp", "binary", {"numeric_embedding": kind, "numeric_width": 5})
    return numbers_input(replace(spec, learned={} if bins is None else {"bins": bins}))


NUMERIC = torch.tensor([[0.5, -1.0, 1.0], [2.0, 0.0, 0.0]])


def test_numbers_may_be_left_as_they_are():
    layer = layer_of("none")
    assert layer(NUMERIC) is NUMERIC
    assert layer.widths == [1, 1, 1]
    assert not layer.is_embedded


def test_columns_without_bins_come_after_the_embedded_ones_as_they_are():
    layer = layer_of("ple", [[0.0, 1.0, 3.0], None, [-1.0, 0.0, 2.0]])
    out = layer(NUMERIC)
    assert layer.widths == [5, 5, 1]
    assert out.shape == (2, 11)
    assert torch.equal(out[:, -1], NUMERIC[:, 1])
    assert torch.equal(out[:, :5], layer.embeddings(NUMERIC[:, [0, 2]])[:, 0])


def test_where_no_column_has_bins_none_is_embedded():
    assert not layer_of("ple", [None, None, None]).is_embedded


@pytest.mark.parametrize(("kind", "bins"), [("ple", [[0.0, 1.0, 3.0]] * 3), ("plr", None)])
def test_every_column_is_embedded(kind, bins):
    layer = layer_of(kind, bins)
    assert layer.widths == [5, 5, 5]
    assert layer.is_embedded
    assert layer(NUMERIC).shape == (2, 15)


def test_bins_must_have_been_learned():
    with pytest.raises(KeyError, match="bins"):
        layer_of("ple")
