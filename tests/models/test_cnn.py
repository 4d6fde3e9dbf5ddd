from dataclasses import replace

import pytest
import torch

from contracts.model import FamilyContract, spec_for
from distml.batch import TensorSpec
from distml.models import build_network, cnn


class TestCNN(FamilyContract):
    family = cnn.FAMILY


@pytest.mark.parametrize("num_blocks", [2, 4])
@pytest.mark.parametrize(
    "shape", [(1, 8, 8), (3, 8, 9), (4, 28, 28), (2, 1, 1), (1, 2, 40), (3, 100, 70), (1, 300, 65)], ids=str
)
def test_images_of_any_size_are_taken(shape, num_blocks):
    spec = spec_for("cnn", "binary")
    tensor = TensorSpec(shape=shape, mean=(9.0,) * shape[0], std=(3.0,) * shape[0])
    params = {**spec.params, "num_blocks": num_blocks}
    spec = replace(spec, params=params, input=replace(spec.input, tensors={"x": tensor}))
    images = torch.randint(256, (2, *shape), dtype=torch.uint8)
    network = build_network(spec)
    outputs = network(torch.zeros(2, 3), torch.zeros(2, 1, dtype=torch.int64), {"x": images})
    assert outputs.shape == (2, 2)
    outputs.sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_columns_beside_the_images_are_seen():
    network = build_network(spec_for("cnn", "binary")).eval()
    images = {name: torch.zeros(1, *spec.shape) for name, spec in spec_for("cnn", "binary").input.tensors.items()}
    codes = torch.zeros(1, 1, dtype=torch.int64)
    first, second = (network(torch.full((1, 3), value), codes, images) for value in (0.0, 1.0))
    assert not torch.equal(first, second)
