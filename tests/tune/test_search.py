"""A search that is cut off anywhere and gone on with comes to what it would have come to."""

import pytest

from distml.storage import Storage
from distml.tune import Search, local
from distml.tune.budget import Budget
from distml.tune.log import TrialLog
from distml.tune.schedulers import Halving
from distml.tune.trial import Ending
from searches import AUC, SMALL, Heard, data_of, objective_of, repeatable, study_of

# Some diverge, some are given up at a rung, the rest finish.
OVERRIDES = {**SMALL, "mlp": {**SMALL["mlp"], "lr": {"choice": [0.01, 1e30]}}}


class CutOff(BaseException):
    """Ends a process, as far as a search can see."""


class Cutting(Heard):
    """Cuts the search off after so many words."""

    def __init__(self, num_words):
        super().__init__()
        self.num_left = num_words

    def hear(self):
        self.num_left -= 1
        if self.num_left < 0:
            raise CutOff

    def on_start(self, candidate):
        super().on_start(candidate)
        self.hear()

    def on_epochs(self, number, epochs):
        super().on_epochs(number, epochs)
        self.hear()

    def on_end(self, record):
        super().on_end(record)
        self.hear()


def begin(storage, listener):
    """A search on the log that is there."""
    log = TrialLog(storage, "search")
    begun = log.read()
    study = study_of(OVERRIDES, num_samples=8, seed=2)
    assert study.replay([(trial.candidate, trial.record) for trial in begun])
    return Search(study, Halving(AUC, max_epochs=14, lag=4), listener, log, begun), log


def carry_on(storage, listener):
    search, log = begin(storage, listener)
    return local.run_trials(search, objective_of(checkpoint_interval_s=0), data_of(), log.files)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    heard = Heard()
    records = carry_on(Storage(tmp_path_factory.mktemp("whole")), heard)
    assert {record.state for record in records} == {"finished", "pruned", "failed"}
    return records, heard


def without_file(records):
    return [{**record, "reason": record["reason"] and record["reason"].partition(" (more in")[0]}
            for record in repeatable(records)]  # fmt: skip


@pytest.mark.parametrize("num_words", [1, 2, 5, 9, 17, 30])
def test_a_search_cut_off_again_and_again_comes_to_the_same(num_words, whole, tmp_path):
    storage = Storage(tmp_path)
    started, num_cuts = [], 0
    while True:
        heard = Cutting(num_words)
        try:
            records = carry_on(storage, heard)
            break
        except CutOff:
            num_cuts += 1
        finally:
            started += [candidate.number for candidate in heard.started]
    assert num_cuts > 0
    assert started == list(range(1, 9)), "every trial begins once"
    assert without_file(records) == without_file(whole[0])
    logged = TrialLog(storage, "search").read()
    assert [trial.candidate.number for trial in logged] == list(range(1, 9))
    for trial in logged:
        epochs = [epoch.epoch for epoch in trial.epochs]
        assert epochs == list(range(1, len(epochs) + 1)), "every epoch once"
        scores = [(epoch.epoch, epoch.score) for epoch in trial.epochs]
        assert scores == whole[1].curves().get(trial.candidate.number, [])


def test_trials_that_ended_are_recalled_and_not_run(whole, tmp_path):
    storage = Storage(tmp_path)
    carry_on(storage, Heard())
    heard = Heard()
    records = carry_on(storage, heard)
    assert without_file(records) == without_file(whole[0])
    assert heard.started == heard.ended == []
    assert [trial.record for trial in heard.recalled] == records


def test_a_verdict_that_was_not_recorded_is_given_again(tmp_path):
    """Cut off after a rung's last epoch was logged, before the trial was given up."""
    storage = Storage(tmp_path)
    records = carry_on(storage, Heard())
    pruned = next(record for record in records if record.state == "pruned")
    path = f"search/trials/{pruned.number:06d}.json"
    value = storage.read_json(path)
    storage.write_json(path, {**value, "record": None})
    for later in range(pruned.number + 1, 9):
        storage.delete(f"search/trials/{later:06d}.json")
    heard = Heard()
    search, _ = begin(storage, heard)
    assert [record.number for record in heard.ended] == [pruned.number]
    assert heard.ended[0].state == "pruned"
    assert search.next().candidate.number == pruned.number + 1


def test_another_study_is_of_no_use_for_going_on(tmp_path):
    storage = Storage(tmp_path)
    carry_on(storage, Heard())
    begun = [(trial.candidate, trial.record) for trial in TrialLog(storage, "search").read()]
    assert not study_of(OVERRIDES, num_samples=8, seed=3).replay(begun)


def test_time_that_was_used_up_before_counts(tmp_path):
    storage = Storage(tmp_path)
    log = TrialLog(storage, "search")
    log._elapsed_before_s = 1000.0
    search = Search(study_of(num_samples=3), None, Heard(), log)
    search.next()
    search, log = begin_without(storage, Budget(time_s=500))
    records = local.run_trials(search, objective_of(), data_of(), log.files)
    assert [(record.number, record.state) for record in records] == [(1, "stopped")]


def test_the_last_trials_have_all_device_hours_that_are_left():
    search = Search(study_of(num_samples=3), None, Heard(), budget=Budget(device_hours=1, num_devices=1))
    tasks = [search.next(num_at_once=2) for _ in range(2)]
    assert [task.seconds_left for task in tasks] == pytest.approx([1800, 1800], abs=5)
    for task in tasks:
        search.end(task.candidate.number, Ending(state="failed"))
    assert search.next(num_at_once=2).seconds_left == pytest.approx(3600, abs=5)


def begin_without(storage, budget):
    log = TrialLog(storage, "search")
    begun = log.read()
    study = study_of(num_samples=3)
    assert study.replay([(trial.candidate, trial.record) for trial in begun])
    return Search(study, None, Heard(), log, begun, budget=budget), log
