import pytest

from contracts.model import FamilyContract
from distml.models import mlp
from problems import input_of


class TestMLP(FamilyContract):
    family = mlp.FAMILY


@pytest.mark.parametrize("num_blocks", [1, 4])
def test_has_as_many_blocks_as_asked_for(num_blocks):
    params = mlp.FAMILY.complete({"num_blocks": num_blocks, "width": 8})
    network = mlp.build(params, input_of("binary"))
    assert len(network.blocks) == 3 * num_blocks  # linear, ReLU, dropout
    assert network.head.in_features == 8
