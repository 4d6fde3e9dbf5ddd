import numpy as np
import pytest

from distml.storage import Storage
from distml.tune import trial
from distml.tune.log import TrialFiles
from distml.tune.objective import Candidate
from distml.tune.trial import Ending, TrialTask
from searches import AUC, data_of, objective_of

CANDIDATE = Candidate(number=3, family="mlp", params={"width": 8, "embedding_width": 4})


@pytest.fixture
def files(tmp_path):
    return TrialFiles(Storage(tmp_path), "search")


def run(files, candidate=CANDIDATE, is_wanted=lambda: True, max_epochs=6, **limits):
    heard = []
    task = TrialTask(candidate=candidate, **limits)
    ending = trial.run(task, objective_of(max_epochs=max_epochs), data_of(), files, heard.append, is_wanted)
    return ending, heard


def test_a_trial_that_ends_by_itself(files):
    ending, heard = run(files)
    assert ending == Ending(state="finished")
    assert [result.epoch for result in heard] == [1, 2, 3, 4, 5, 6]
    assert AUC(data_of()["dense"][1].target, files.results.outputs(3)) == heard[-1].best_score


@pytest.mark.parametrize(("bar", "state", "num_epochs"), [(1.1, "pruned", 4), (0.0, "finished", 6)])
def test_a_bar_ends_a_trial_that_is_below_it(files, bar, state, num_epochs):
    ending, heard = run(files, bars={4: bar})
    assert (ending.state, len(heard)) == (state, num_epochs)
    assert (files.results.numbers() == []) == (state == "pruned")


def test_a_trial_out_of_time_leaves_its_best_so_far(files):
    ending, heard = run(files, seconds_left=0.0)
    assert (ending.state, len(heard)) == ("stopped", 1)
    assert AUC(data_of()["dense"][1].target, files.results.outputs(3)) == heard[0].score


def test_a_bar_comes_before_the_end_of_time(files):
    assert run(files, seconds_left=0.0, bars={1: 1.1})[0].state == "pruned"


@pytest.mark.parametrize(("score", "is_kept"), [(0.0, True), (1.0, False)])
def test_results_that_others_have_outdone_are_not_written(files, score, is_kept):
    assert run(files, score_to_keep=score)[0].state == "finished"
    assert (files.results.outputs(3) is not None) == is_kept


def test_a_trial_that_nobody_waits_for_ends_and_leaves_nothing(files):
    _, heard = run(files, is_wanted=lambda: False)
    assert len(heard) == 1
    assert files.results.numbers() == []


def test_whatever_is_raised_is_a_reason_and_a_file(files):
    ending, heard = run(files, Candidate(number=3, family="mlp", params={"dropout": 2.0}))
    assert (ending.state, heard) == ("failed", [])
    assert "dropout" in ending.reason
    assert ending.reason.endswith(f"(more in {files.storage.uri('search/trials/000003.txt')})")


def test_without_files_a_trial_leaves_nothing():
    ending, heard = run(None)
    assert (ending.state, len(heard)) == ("finished", 6)


def test_a_segment_begins_with_its_parents_state(files):
    first = Candidate(number=1, family="mlp", params=CANDIDATE.params, until_epoch=2)
    _, before = run(files, first)
    changed = {**CANDIDATE.params, "lr": 1e-5}
    _, after = run(files, Candidate(number=3, family="mlp", params=changed, parent=1, until_epoch=4))
    assert [result.epoch for result in before + after] == [1, 2, 3, 4]
    np.testing.assert_allclose(after[0].score, before[1].score, atol=0.01)
    assert after[0].score != run(files, Candidate(number=4, family="mlp", params=changed))[1][0].score
