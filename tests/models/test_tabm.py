import torch

from contracts.model import FamilyContract
from distml.models import build_network, learned, tabm
from problems import problem, spec_of


class TestTabM(FamilyContract):
    family = tabm.FAMILY


def network_of(params=None, **shape):
    return build_network(learned(spec_of("tabm", "binary", params, **shape), problem("binary", **shape)))


def test_answers_with_its_members():
    outputs = network_of({"num_members": 5})(torch.randn(7, 3), torch.zeros(7, 1, dtype=torch.int64))
    assert outputs.shape == (7, 5, 2)
    assert not torch.allclose(outputs[:, 0], outputs[:, 1])


def test_ten_thousand_categories_are_no_layer_as_wide():
    few, many = (network_of(cardinalities=(size,)) for size in (1_000, 10_000))
    num_few, num_many = (sum(value.numel() for value in network.parameters()) for network in (few, many))
    assert num_many - num_few == 9_000 * 16  # a row of the table for each


def test_a_features_numbers_begin_scaled_alike():
    network = network_of({"numeric_width": 6})
    scale = network.backbone.blocks[0][0].r  # [m, width of the input]
    first = scale[:, :6]
    assert torch.equal(first, first[:, :1].expand(-1, 6))
    assert not torch.equal(scale[:, :6], scale[:, 6:12])
