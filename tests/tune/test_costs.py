"""What a model costs."""

import numpy as np
import pytest

from distml.metrics import METRICS
from distml.training import fit
from distml.tune.costs import COSTS, measure
from problems import problem, settings_of, spec_of

BATCH = problem("binary", n=60)


@pytest.fixture(scope="module", params=["linear", "mlp", "trees"])
def model(request):
    small = {"mlp": {"width": 8, "num_blocks": 1}, "trees": {"num_leaves": 4}}.get(request.param, {})
    spec = spec_of(request.param, "binary", small)
    found = fit(spec, BATCH, problem("binary", n=40, seed=1), METRICS["roc_auc"], settings_of(max_epochs=2))
    assert found.model is not None
    return found.model


def test_every_cost_is_a_number_above_zero(model):
    found = measure(model, BATCH)
    assert set(found) == set(COSTS)
    assert all(np.isfinite(value) and value > 0 for value in found.values())


def test_only_what_is_asked_for_is_measured(model):
    assert list(measure(model, BATCH, ("size_mb",))) == ["size_mb"]
    assert measure(model, BATCH, ()) == {}


def test_size_is_that_of_the_stored_files(model, tmp_path):
    model.save(tmp_path)
    stored = sum(file.stat().st_size for file in tmp_path.iterdir())
    assert measure(model, BATCH, ("size_mb",)) == {"size_mb": stored / 1e6}


def test_parameters_are_the_numbers_that_were_fitted(model):
    found = measure(model, BATCH, ("num_params",))["num_params"]
    if hasattr(model, "booster"):
        trees = model.booster.dump_model()["tree_info"]
        assert found == sum(2 * tree["num_leaves"] - 1 for tree in trees)
    else:
        assert found == sum(tensor.size for tensor in (p.detach().numpy() for p in model.module.parameters()))


def test_latency_is_of_one_row_at_a_time(model, monkeypatch):
    rows = []
    kept = type(model).predict

    def predict(self, batch):
        rows.append(len(batch))
        return kept(self, batch)

    monkeypatch.setattr(type(model), "predict", predict)
    few = BATCH.take(slice(0, 3))
    assert measure(model, few, ("latency_ms",))["latency_ms"] > 0
    assert set(rows) == {1}
    assert len(rows) == 55
