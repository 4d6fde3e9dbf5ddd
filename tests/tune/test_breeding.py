"""Population-based training with real fits, on any runner: segments go on from states, and a search goes on."""

from pathlib import Path

import numpy as np
import pytest

from distml.storage import Storage
from distml.training.checkpoint import Checkpoint
from distml.tune import Search, SearchSpace, local
from distml.tune.log import TrialLog
from distml.tune.population import Population
from searches import AUC, Heard, data_of, objective_of, repeatable

NUM_TRIALS = 12


class CutOff(BaseException):
    """Ends a process, as far as a search can see."""


class Cutting(Heard):
    """Cuts the search off after so many words."""

    def __init__(self, num_words):
        super().__init__()
        self.num_left = num_words

    def on_epochs(self, number, epochs):
        super().on_epochs(number, epochs)
        self.num_left -= 1
        if self.num_left < 0:
            raise CutOff


def population():
    space = SearchSpace.of(("mlp", "linear"), {"mlp": {"width": {"choice": [8, 16]}}})
    return Population(space, AUC, num_samples=NUM_TRIALS, population=4, interval_epochs=3, max_epochs=30, seed=1)


def search(storage, listener):
    log = TrialLog(storage, "search")
    begun = log.read()
    source = population()
    assert source.replay([(trial.candidate, trial.record) for trial in begun])
    made = Search(source, None, listener, log, begun, num_kept=3)
    return local.run_trials(made, objective_of(checkpoint_interval_s=0, max_epochs=30), data_of(), log.files)


@pytest.fixture(scope="module")
def bred(tmp_path_factory):
    heard = Heard()
    storage = Storage(tmp_path_factory.mktemp("bred"))
    return search(storage, heard), heard, storage


def test_every_segment_has_its_epochs(bred):
    records, heard, _ = bred
    assert {record.state for record in records} == {"finished"}
    for record in records:
        generation = (record.number - 1) // 4
        wanted = list(range(3 * generation + 1, 3 * generation + 4))
        assert [epoch.epoch for epoch in heard.epochs[record.number]] == wanted
        assert record.num_epochs == record.until_epoch == wanted[-1]
        assert record.best_epoch in wanted
        assert record.score == max(epoch.score for epoch in heard.epochs[record.number])


def test_a_segment_goes_on_from_its_parents_weights(bred):
    """Two segments with the same parameters are a fit of twice the epochs, but for the order of the rows."""
    records, heard, _ = bred
    for record in records[4:]:
        parent = records[record.parent - 1]
        before, after = heard.epochs[parent.number], heard.epochs[record.number]
        assert after[0].train_loss < before[0].train_loss, "it doesn't begin anew"
        assert record.family == parent.family


def test_only_the_best_results_and_no_states_are_left(bred):
    records, _, storage = bred
    names = storage.list("search/trials")
    best = sorted(records, key=lambda record: (-record.score, record.number))[:3]
    assert [name for name in names if "." not in name] == sorted(f"{record.number:06d}" for record in best)
    assert not [name for name in names if name.endswith(".pt")]


@pytest.mark.parametrize("num_words", [4, 13, 20])
def test_cut_off_again_and_again_it_comes_to_the_same(num_words, bred, tmp_path):
    num_cuts = 0
    while True:
        heard = Cutting(num_words)
        try:
            records = search(Storage(tmp_path), heard)
            break
        except CutOff:
            num_cuts += 1
    assert num_cuts > 0
    assert repeatable(records) == repeatable(bred[0])
    assert Storage(tmp_path).list("search/trials") == bred[2].list("search/trials")


def test_a_lineage_is_fitted_again(bred, tmp_path):
    """With the same rows and seeds it comes to the outputs that the search came to."""
    records = bred[0]
    best = max(records[8:], key=lambda record: record.score)
    lineage = [best]
    while lineage[0].parent is not None:
        lineage.insert(0, records[lineage[0].parent - 1])
    train, validation = data_of()["dense"]
    objective = objective_of(max_epochs=30)
    state = Checkpoint(Storage(tmp_path), "refit/state.pt")
    result = objective.refit([record.candidate for record in lineage], train, validation, None, state)
    assert (result.best_epoch, result.best_score) == (best.best_epoch, best.score)
    again = objective.refit([record.candidate for record in lineage], train, None, best.best_epoch, state)
    assert again.num_epochs == best.best_epoch
    np.testing.assert_allclose(again.model.predict(validation), result.outputs, atol=1e-6)
    assert [path.name for path in Path(tmp_path, "refit").iterdir() if "-" in path.name] == []
