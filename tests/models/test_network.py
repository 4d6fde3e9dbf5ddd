import numpy as np
import pytest
import torch

from distml.models import build_network, learned
from distml.models.network import _CHUNK, NetworkModel, parameter_groups, scores
from problems import problem, spec_of


@pytest.mark.parametrize("num_rows", [_CHUNK - 1, _CHUNK, _CHUNK + 1, 2 * _CHUNK])
def test_chunks_lose_no_row(num_rows):
    spec = spec_of("linear", "binary")
    model = NetworkModel(spec, build_network(spec))
    batch = problem("binary", n=num_rows)
    predicted = model.predict(batch)
    assert predicted.shape == (num_rows, 2)
    np.testing.assert_allclose(predicted[-5:], model.predict(batch.take(slice(num_rows - 5, None))), rtol=1e-6)


@pytest.mark.parametrize("family", ["linear", "mlp"])
@pytest.mark.parametrize("size", [1, 2, 7, 17, 100, 127])
def test_a_row_is_scored_alike_whatever_rows_are_beside_it(family, size):
    batch = problem("binary", n=400)
    spec = learned(spec_of(family, "binary"), batch)
    model = NetworkModel(spec, build_network(spec))
    parts = [model.predict(batch.take(slice(start, start + size))) for start in range(0, 400, size)]
    np.testing.assert_array_equal(np.concatenate(parts), model.predict(batch))


@pytest.mark.parametrize(
    ("task", "outputs", "wanted"),
    [
        ("regression", [[1.5], [-2.0]], [1.5, -2.0]),
        ("binary", [[0.0, 0.0], [0.0, np.log(3)]], [[0.5, 0.5], [0.25, 0.75]]),
        ("binary", [[[0.0, 0.0], [0.0, np.log(3)]]], [[0.375, 0.625]]),
        ("regression", [[[1.0], [4.0]], [[0.0], [-1.0]]], [2.5, -0.5]),
        ("multiclass", [[1000.0, 0.0, 0.0], [0.0, 0.0, 0.0]], [[1, 0, 0], [1 / 3, 1 / 3, 1 / 3]]),
    ],
)
def test_outputs_become_scores(task, outputs, wanted):
    np.testing.assert_allclose(scores(torch.tensor(outputs), task), wanted, atol=1e-7)


def test_prediction_is_without_dropout():
    batch = problem("binary")
    spec = learned(spec_of("mlp", "binary", {"dropout": 0.5}), batch)
    model = NetworkModel(spec, build_network(spec).train())
    np.testing.assert_array_equal(model.predict(batch), model.predict(batch))


def test_biases_norms_and_embeddings_do_not_decay():
    module = torch.nn.Sequential(torch.nn.Embedding(3, 2), torch.nn.Linear(2, 4), torch.nn.BatchNorm1d(4))
    decayed, free = parameter_groups(module)
    assert [value is module[1].weight for value in decayed["params"]] == [True]
    assert "weight_decay" not in decayed
    assert free["weight_decay"] == 0.0
    assert len(free["params"]) == 4


def test_a_module_says_which_of_its_parameters_decay():
    (group,) = parameter_groups(build_network(spec_of("linear", "binary")))
    assert "weight_decay" not in group
    assert len(group["params"]) == 3
