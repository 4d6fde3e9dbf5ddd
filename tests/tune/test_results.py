import numpy as np
import pytest

from distml.metrics import METRICS
from distml.storage import Storage
from distml.tune import TrialRecord
from distml.tune.objective import Candidate
from distml.tune.results import Keeper, TrialResults
from searches import AUC, data_of, objective_of


@pytest.fixture
def results(tmp_path):
    return TrialResults(Storage(tmp_path), "searched/abc")


@pytest.fixture(scope="module")
def fitted():
    return objective_of(max_epochs=3).run(Candidate(number=1, family="mlp", params={"width": 8}), data_of())


def test_a_trial_leaves_its_model_and_its_outputs(results, fitted):
    results.write(7, fitted)
    validation = data_of()["dense"][1]
    outputs = results.outputs(7)
    np.testing.assert_array_equal(outputs, fitted.outputs)
    np.testing.assert_allclose(results.model(7).predict(validation), outputs, atol=1e-6)
    assert AUC(validation.target, outputs) == fitted.best_score
    assert set(results.storage.list(results.key(7))) == {"model.json", "weights.safetensors", "outputs.npy"}
    assert results.numbers() == [7]


def test_a_trial_that_left_nothing(results):
    assert results.outputs(1) is None
    assert results.model(1) is None
    assert results.numbers() == []


def test_results_are_deleted(results, fitted):
    results.write(7, fitted)
    results.delete(7)
    results.delete(8)
    assert results.outputs(7) is results.model(7) is None


def record(number, score, state="finished"):
    return TrialRecord(number=number, family="mlp", params={}, state=state, score=score)


def test_the_best_are_kept_and_the_outdone_go():
    keeper = Keeper(AUC, 2)
    assert keeper.score_to_keep is None
    assert keeper.add(record(1, 0.5)) == []
    assert keeper.add(record(2, 0.7, "stopped")) == []
    assert (keeper.numbers, keeper.score_to_keep) == ([2, 1], 0.5)
    assert keeper.add(record(3, 0.6)) == [1]
    assert keeper.add(record(4, 0.1)) == [4]
    assert (keeper.numbers, keeper.score_to_keep) == ([2, 3], 0.6)


def test_of_equals_the_earlier_is_kept():
    keeper = Keeper(METRICS["rmse"], 1)
    assert keeper.add(record(2, 3.0)) == []
    assert keeper.add(record(1, 3.0)) == [2]
    assert keeper.add(record(3, 3.0)) == [3]
    assert keeper.score_to_keep == 3.0


@pytest.mark.parametrize(
    ("ended", "outdone"),
    [(record(5, 0.9, "pruned"), []), (record(5, 0.9, "failed"), [5]), (record(5, None, "stopped"), [5])],
)
def test_other_trials_keep_nothing(ended, outdone):
    keeper = Keeper(AUC, 2)
    assert keeper.add(ended) == outdone
    assert keeper.numbers == []
