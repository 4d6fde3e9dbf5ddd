import pytest

from contracts.model import FamilyContract
from distml.models import build_network, learned, resnet
from problems import problem, spec_of


class TestResNet(FamilyContract):
    family = resnet.FAMILY


@pytest.mark.parametrize("num_blocks", [1, 3])
def test_has_as_many_blocks_as_asked_for(num_blocks):
    spec = spec_of("resnet", "binary", {"num_blocks": num_blocks, "width": 8, "hidden_factor": 1.5})
    body = build_network(learned(spec, problem("binary"))).body
    assert [block.linear1.out_features for block in body.blocks] == [12] * num_blocks
