import pytest
import torch

from distml.models.inputs import TabularInput, embedding_width
from problems import input_of


@pytest.mark.parametrize(("cardinality", "bound", "width"), [(2, 16, 2), (5, 16, 4), (5, 3, 3), (10**6, 16, 16)])
def test_embeddings_widen_with_cardinality_up_to_a_bound(cardinality, bound, width):
    assert embedding_width(cardinality, bound) == width


@pytest.mark.parametrize(("num_numeric", "cardinalities", "width"), [(3, (5, 2), 3 + 4 + 2), (3, (), 3), (0, (5,), 4)])
def test_the_input_is_as_wide_as_it_says(num_numeric, cardinalities, width):
    layer = TabularInput(input_of("binary", num_numeric, cardinalities), max_width=16)
    out = layer(torch.zeros(6, num_numeric), torch.zeros(6, len(cardinalities), dtype=torch.int64))
    assert layer.width == width
    assert out.shape == (6, width)


def test_numbers_come_first_and_unchanged():
    layer = TabularInput(input_of("binary", 2, (3,)), max_width=16)
    numeric = torch.tensor([[1.0, -2.0]])
    out = layer(numeric, torch.tensor([[2]]))
    assert torch.equal(out[:, :2], numeric)
    assert torch.equal(out[:, 2:], layer.embeddings[0].weight[2:3])
