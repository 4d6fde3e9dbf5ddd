from dataclasses import replace

import pytest
import torch

from distml.batch import TensorSpec
from distml.models.inputs import PixelInput, TabularInput, embedding_width
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


def test_a_channel_that_never_varies_is_no_division_by_zero():
    layer = PixelInput(TensorSpec(shape=(2, 1, 1), mean=(100.0, 7.0), std=(50.0, 0.0)))
    assert layer(torch.tensor([[[[150]], [[7]]]], dtype=torch.uint8)).flatten().tolist() == [1.0, 0.0]
    assert list(layer.state_dict()) == []  # constants are the spec's, not weights


def test_images_are_flattened_in_the_order_of_their_names():
    tensors = {
        "b": TensorSpec(shape=(1, 1, 2), mean=(0.0,), std=(1.0,)),
        "a": TensorSpec(shape=(1, 1, 1), mean=(0.0,), std=(1.0,)),
    }
    layer = TabularInput(replace(input_of("binary", 1, ()), tensors=tensors), max_width=16)
    given = {"b": torch.tensor([[[[2.0, 3.0]]]]), "a": torch.tensor([[[[1.0]]]])}
    assert layer(torch.tensor([[0.0]]), torch.zeros(1, 0, dtype=torch.int64), given).tolist() == [[0, 1, 2, 3]]
    assert layer.width == 4


def test_numbers_come_first_and_unchanged():
    layer = TabularInput(input_of("binary", 2, (3,)), max_width=16)
    numeric = torch.tensor([[1.0, -2.0]])
    out = layer(numeric, torch.tensor([[2]]))
    assert torch.equal(out[:, :2], numeric)
    assert torch.equal(out[:, 2:], layer.embeddings[0].weight[2:3])
