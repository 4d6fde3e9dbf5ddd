import numpy as np
import pytest

from distml.errors import ConfigError
from distml.metrics import METRICS
from distml.models import FAMILIES
from distml.training import EpochResult
from distml.tune.objective import Candidate, TrialRecord, best_of
from problems import problem
from searches import data_of, objective_of

AUC, RMSE = METRICS["roc_auc"], METRICS["rmse"]
CANDIDATE = Candidate(number=3, family="linear", params={"lr": 0.1})


def test_a_spec_has_the_families_defaults_and_its_recipes_input():
    spec = objective_of().spec("linear", {"lr": 0.1})
    assert spec.params == {**FAMILIES["linear"].defaults, "lr": 0.1}
    assert (spec.task, spec.family) == ("binary", "linear")


def test_an_unknown_parameter_is_refused():
    with pytest.raises(ConfigError, match="did you mean 'lr'"):
        objective_of().spec("linear", {"lrr": 0.1})


def test_a_trial_has_a_seed_of_its_own():
    def predicted(number):
        candidate = Candidate(number=number, family="mlp", params={"width": 8})
        return objective_of(max_epochs=1).run(candidate, data_of()).model.predict(problem("binary", n=20))

    np.testing.assert_array_equal(predicted(1), predicted(1))
    assert (predicted(1) != predicted(2)).any()


LAST = EpochResult(epoch=7, train_loss=0.5, score=0.6, best_score=0.8, best_epoch=5, seconds=1.5)


@pytest.mark.parametrize(
    ("last", "wanted"),
    [
        (LAST, {"score": 0.8, "best_epoch": 5, "num_epochs": 7, "seconds": 1.5}),
        (None, {"score": None, "best_epoch": 0, "num_epochs": 0, "seconds": 0.0}),
    ],
)
def test_a_record_tells_of_the_last_epoch(last, wanted):
    record = TrialRecord.of(CANDIDATE, "failed", last, reason="because")
    assert record.to_dict() == {
        "number": 3, "family": "linear", "params": {"lr": 0.1}, "state": "failed", "reason": "because",
        "objectives": {}, "notes": (), "parent": None, "until_epoch": None, **wanted,
    }  # fmt: skip
    assert TrialRecord.from_dict(record.to_dict()) == record


def records(*rows) -> list[TrialRecord]:
    """Rows of (number, state, score)."""
    return [TrialRecord(number=n, family="linear", params={}, state=state, score=score) for n, state, score in rows]


@pytest.mark.parametrize(
    ("metric", "rows", "best"),
    [
        (AUC, [(1, "finished", 0.5), (2, "finished", 0.7), (3, "finished", 0.6)], 2),
        (RMSE, [(1, "finished", 0.5), (2, "finished", 0.7), (3, "finished", 0.4)], 3),
        (AUC, [(2, "finished", 0.7), (1, "finished", 0.7)], 1),
        (AUC, [(1, "finished", 0.5), (2, "stopped", 0.7)], 2),
        (AUC, [(1, "finished", 0.5), (2, "pruned", 0.7), (3, "failed", 0.9)], 1),
        (AUC, [(1, "finished", None), (2, "stopped", 0.1)], 2),
        (AUC, [(1, "finished", float("nan")), (2, "finished", 0.1)], 2),
        (AUC, [(1, "pruned", 0.7), (2, "failed", None), (3, "stopped", None)], None),
        (AUC, [], None),
    ],
)
def test_the_best_record(metric, rows, best):
    found = best_of(records(*rows), metric)
    assert (found and found.number) == best
