import pytest

from contracts.model import FamilyContract
from distml.models import mlp
from problems import spec_of


class TestMLP(FamilyContract):
    family = mlp.FAMILY


@pytest.mark.parametrize("num_blocks", [1, 4])
def test_has_as_many_blocks_as_asked_for(num_blocks):
    network = mlp.build(spec_of("mlp", "binary", {"num_blocks": num_blocks, "width": 8}))
    assert len(network.blocks) == 3 * num_blocks  # linear, ReLU, dropout
    assert network.head.in_features == 8
