from dataclasses import replace

import pytest
import torch

from distml.batch import TensorSpec
from distml.models.inputs import Categories, PixelInput, TabularInput, embedding_width, normalised
from problems import spec_of

PLAIN = {"numeric_embedding": "none"}


@pytest.mark.parametrize(("cardinality", "bound", "width"), [(2, 16, 2), (5, 16, 4), (5, 3, 3), (10**6, 16, 16)])
def test_embeddings_widen_with_cardinality_up_to_a_bound(cardinality, bound, width):
    assert embedding_width(cardinality, bound) == width


@pytest.mark.parametrize(("num_numeric", "cardinalities", "width"), [(3, (5, 2), 3 + 4 + 2), (3, (), 3), (0, (5,), 4)])
def test_the_input_is_as_wide_as_it_says(num_numeric, cardinalities, width):
    layer = TabularInput(spec_of("mlp", "binary", PLAIN, num_numeric=num_numeric, cardinalities=cardinalities))
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
    spec = spec_of("mlp", "binary", PLAIN, num_numeric=1, cardinalities=())
    layer = TabularInput(replace(spec, input=replace(spec.input, tensors=tensors)))
    given = {"b": torch.tensor([[[[2.0, 3.0]]]]), "a": torch.tensor([[[[1.0]]]])}
    assert layer(torch.tensor([[0.0]]), torch.zeros(1, 0, dtype=torch.int64), given).tolist() == [[0, 1, 2, 3]]
    assert layer.width == 4


def test_numbers_come_first_and_unchanged():
    layer = TabularInput(spec_of("mlp", "binary", PLAIN, num_numeric=2, cardinalities=(3,)))
    numeric = torch.tensor([[1.0, -2.0]])
    out = layer(numeric, torch.tensor([[2]]))
    assert torch.equal(out[:, :2], numeric)
    assert torch.equal(out[:, 2:], layer.embeddings.tables[0].weight[2:3])


def test_columns_of_one_width_share_a_table():
    layer = Categories((3, 4, 5), (2, 6, 2))
    assert [tuple(table.weight.shape) for table in layer.tables] == [(8, 2), (4, 6)]
    narrow, wide = layer.tables
    first, second = layer(torch.tensor([[1, 3, 4]]))
    assert torch.equal(first, torch.cat([narrow.weight[1], narrow.weight[3 + 4]])[None])
    assert torch.equal(second, wide.weight[3:4])
    assert layer.widths == [2, 2, 6]


def test_weights_stored_by_column_are_read():
    """As packages had them before columns shared tables."""
    old = {f"{i}.weight": torch.randn(size, width) for i, (size, width) in enumerate([(3, 2), (4, 6), (5, 2)])}
    layer = Categories((3, 4, 5), (2, 6, 2))
    layer.load_state_dict(dict(old))
    assert torch.equal(layer.tables[0].weight, torch.cat([old["0.weight"], old["2.weight"]]))
    assert torch.equal(layer.tables[1].weight, old["1.weight"])


def test_one_row_is_normalised_as_in_prediction():
    body = torch.nn.BatchNorm1d(2)
    body(torch.randn(100, 2) * 5 + 3)
    row, before = torch.tensor([[3.0, 1.0]]), body.running_mean.clone()
    assert torch.equal(normalised(body, row), body.eval()(row))
    body.train()
    normalised(body, row)
    assert body.training
    assert torch.equal(body.running_mean, before)
    assert not torch.equal(normalised(body, torch.cat([row, 2 * row]))[0], normalised(body, row)[0])
