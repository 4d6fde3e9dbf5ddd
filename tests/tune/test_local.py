import pytest

from contracts.runner import RunnerContract
from distml.tune import Search, local
from distml.tune.budget import Budget
from distml.tune.schedulers import Halving
from searches import AUC, SMALL, Heard, data_of, objective_of, repeatable, study_of


class TestLocal(RunnerContract):
    def run(self, search, objective, data, log, folder):
        return local.run_trials(search, objective, data, log.files)


def search(study=None, objective=None, halving=None, time_budget_s=None):
    heard = Heard()
    made = Search(study or study_of(), halving, heard, budget=Budget(time_s=time_budget_s))
    records = local.run_trials(made, objective or objective_of(), data_of())
    return records, heard


@pytest.fixture(scope="module")
def searched():
    return search(halving=Halving(AUC, max_epochs=14, lag=4))


def test_every_candidate_ends_in_a_record(searched):
    records, heard = searched
    assert [record.number for record in records] == list(range(1, 11))
    assert {record.state for record in records} == {"finished", "pruned"}
    assert heard.ended == records
    assert [(c.number, c.family, c.params) for c in heard.started] == [(r.number, r.family, r.params) for r in records]


def test_a_record_is_what_its_epochs_came_to(searched):
    records, heard = searched
    for record in records:
        scores = [score for _, score in heard.curves()[record.number]]
        assert record.num_epochs == len(scores)
        assert record.score == max(scores)
        assert record.best_epoch == scores.index(max(scores)) + 1


def test_pruned_trials_end_at_a_rung(searched):
    records, _ = searched
    assert {record.num_epochs for record in records if record.state == "pruned"} <= {4, 12}


def test_a_seed_gives_the_same_records(searched):
    again, _ = search(halving=Halving(AUC, max_epochs=14, lag=4))
    assert repeatable(again) == repeatable(searched[0])


def test_without_halving_nothing_is_pruned():
    records, _ = search(study_of(num_samples=5))
    assert {record.state for record in records} == {"finished"}


def test_a_failing_trial_leaves_the_others_alone():
    overrides = {"mlp": {**SMALL["mlp"], "lr": 1e30}, "trees": {"num_leaves": 1}}
    records, heard = search(study_of(overrides, num_samples=5))
    assert [record.state for record in records[:3]] == ["finished", "failed", "failed"]
    assert "a training loss is a number" in records[1].reason
    assert "num_leaves" in records[2].reason
    assert records[2].score is None
    assert heard.ended == records


def test_no_trial_starts_after_the_time_is_up():
    records, heard = search(time_budget_s=1e-9)
    assert len(records) <= 1  # the clock may not have moved yet
    assert all(record.state == "stopped" for record in records)
    assert len(heard.started) == len(records)


def test_device_hours_end_a_search_as_time_does():
    """The first trial takes them all up: it ends after an epoch, and no other begins."""
    made = Search(study_of(), None, Heard(), budget=Budget(device_hours=1e-9))
    records = local.run_trials(made, objective_of(), data_of())
    assert [(record.number, record.state, record.num_epochs) for record in records] == [(1, "stopped", 1)]
