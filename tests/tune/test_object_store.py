"""A search whose storage is a bucket, against a server that speaks S3."""

import pytest

from buckets import bucket
from distml.storage import Storage
from distml.tune import Search, local
from distml.tune.log import TrialLog
from distml.tune.results import TrialResults
from distml.tune.schedulers import Halving
from searches import AUC, SMALL, Heard, data_of, objective_of, repeatable, study_of


@pytest.fixture
def storage(monkeypatch):
    with bucket(monkeypatch) as uri:
        yield Storage(f"{uri}/store")


class CutOff(BaseException):
    """Ends a process, as far as a search can see."""


class Cutting(Heard):
    """Cuts the search off in the fourth trial."""

    def on_epochs(self, number, epochs):
        super().on_epochs(number, epochs)
        if number == 4 and epochs[-1].epoch == 3:
            raise CutOff


def search(storage, heard):
    log = TrialLog(storage, "search")
    begun = log.read()
    study = study_of(SMALL, num_samples=8, seed=2)
    assert study.replay([(trial.candidate, trial.record) for trial in begun])
    made = Search(study, Halving(AUC, max_epochs=14, lag=4), heard, log, begun, num_kept=2)
    return local.run_trials(made, objective_of(checkpoint_interval_s=0), data_of(), log.files)


def test_a_search_in_a_bucket_is_cut_off_and_gone_on_with(storage, tmp_path):
    with pytest.raises(CutOff):
        search(storage, Cutting())
    assert "000004.pt" in storage.list("search/trials")
    records = search(storage, Heard())
    assert repeatable(records) == repeatable(search(Storage(tmp_path), Heard()))
    names = storage.list("search/trials")
    assert sorted(names) == sorted(Storage(tmp_path).list("search/trials")), "the two best trials, and no states"
    results = TrialResults(storage, "search")
    (best, _) = sorted(
        (record for record in records if record.state == "finished"), key=lambda r: (-r.score, r.number)
    )[:2]
    assert AUC(data_of()["dense"][1].target, results.outputs(best.number)) == best.score
    assert results.model(best.number) is not None
