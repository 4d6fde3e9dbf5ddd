import numpy as np
import pytest
import torch

from distml.models import build_network
from distml.models.network import _CHUNK, NetworkModel, scores
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
    spec = spec_of(family, "binary")
    model = NetworkModel(spec, build_network(spec))
    batch = problem("binary", n=400)
    parts = [model.predict(batch.take(slice(start, start + size))) for start in range(0, 400, size)]
    np.testing.assert_array_equal(np.concatenate(parts), model.predict(batch))


@pytest.mark.parametrize(
    ("task", "outputs", "wanted"),
    [
        ("regression", [[1.5], [-2.0]], [1.5, -2.0]),
        ("binary", [[0.0, 0.0], [0.0, np.log(3)]], [[0.5, 0.5], [0.25, 0.75]]),
        ("multiclass", [[1000.0, 0.0, 0.0], [0.0, 0.0, 0.0]], [[1, 0, 0], [1 / 3, 1 / 3, 1 / 3]]),
    ],
)
def test_outputs_become_scores(task, outputs, wanted):
    np.testing.assert_allclose(scores(torch.tensor(outputs), task), wanted, atol=1e-7)


def test_prediction_is_without_dropout():
    spec = spec_of("mlp", "binary", {"dropout": 0.5})
    module = build_network(spec).train()
    model, batch = NetworkModel(spec, module), problem("binary")
    np.testing.assert_array_equal(model.predict(batch), model.predict(batch))
