from dataclasses import replace

import pytest

from contracts.model import FamilyContract
from distml.models import mlp
from problems import spec_of


class TestMLP(FamilyContract):
    family = mlp.FAMILY


@pytest.mark.parametrize("num_blocks", [1, 4])
def test_has_as_many_blocks_as_asked_for(num_blocks):
    params = {"num_blocks": num_blocks, "width": 8, "numeric_embedding": "none"}
    network = mlp.build(spec_of("mlp", "binary", params))
    assert len(network.blocks) == 3 * num_blocks  # linear, ReLU, dropout
    assert network.head.in_features == 8


def test_a_package_from_before_numbers_were_embedded_is_built():
    spec = spec_of("mlp", "binary")
    params = {name: spec.params[name] for name in ("lr", "weight_decay", "num_blocks", "width", "dropout")}
    network = mlp.build(replace(spec, params={**params, "embedding_width": 16}))
    assert not network.input.numbers.is_embedded
