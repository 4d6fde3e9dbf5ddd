"""What a replica loads, refuses, keeps and takes out, with real packages in a real storage."""

from __future__ import annotations

import shutil
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from distml.errors import PackageError
from distml.package import ModelPackage
from distml.serve.traffic import Deployed, Share, Traffic
from distml.serve.versions.live import Serving
from distml.serve.versions.versions import Report, Versions
from distml.storage import Storage
from packages import saved


@pytest.fixture(scope="module")
def packages(tmp_path_factory) -> Path:
    """Packages 1 to 4, of which the fourth is damaged."""
    return saved(tmp_path_factory.mktemp("packages"))


@pytest.fixture
def storage(tmp_path, packages) -> Storage:
    shutil.copytree(packages, tmp_path / "store")
    return Storage(tmp_path / "store")


class Replica:
    """What `Versions` tells, in order."""

    def __init__(self, storage: Storage) -> None:
        self.servings: list[Serving] = []
        self.reports: list[Report] = []
        self._heard = threading.Condition()
        # What is live is checked by hand.
        self.versions = Versions(storage, swap=self.servings.append, told=self._told, check_interval_s=3600)

    def _told(self, report: Report) -> None:
        with self._heard:
            self.reports.append(report)
            self._heard.notify_all()

    def bring(self, traffic: Traffic) -> Report:
        """What came of a wish, once it has."""
        with self._heard:
            if self.servings:
                self.versions.want(traffic)
            else:
                self.versions.start(traffic)
            assert self._heard.wait_for(lambda: self.reports[-1].asked_at == traffic.asked_at, timeout=60)
            return self.reports[-1]

    @property
    def now(self) -> Serving:
        return self.servings[-1]


@pytest.fixture
def replica(storage):
    replica = Replica(storage)
    yield replica
    replica.versions.stop()


def version(number: int) -> Deployed:
    return Deployed(version=number, package=str(number))


def share(number: int, percent: float = 50) -> Share:
    return Share(deployed=version(number), percent=percent)


def held(replica: Replica) -> dict[int, int]:
    return {number: live.number for number, live in replica.now.by_number.items()}


def test_a_new_replica_loads_main(replica):
    report = replica.bring(Traffic(main=version(1), asked_at=1.0))
    assert report == Report(asked_at=1.0, versions=(1,), main=1, errors={})
    assert replica.now.main.predictor.predict_few(replica.now.main.predictor.package.golden.rows) is not None


def test_every_part_of_the_traffic_is_loaded(replica):
    traffic = Traffic(main=version(1), shares=(share(2),), shadow=version(3), last_good=version(1), asked_at=1.0)
    assert replica.bring(traffic).versions == (1, 2, 3)
    assert held(replica) == {1: 1, 2: 2}
    assert (replica.now.shadow.number, replica.now.shadow.is_shadow) == (3, True)


def test_what_is_loaded_is_kept_so_that_going_back_loads_nothing(replica, storage):
    replica.bring(Traffic(main=version(1), asked_at=1.0))
    first = replica.now.main
    replica.bring(Traffic(main=version(2), last_good=version(1), asked_at=2.0))
    assert replica.now.by_number[1] is first
    storage.delete("1")
    report = replica.bring(Traffic(main=version(1), asked_at=3.0))
    assert (report.main, report.errors) == (1, {})
    assert replica.now.main is first


def test_what_is_not_wanted_any_more_is_dropped(replica, storage):
    replica.bring(Traffic(main=version(1), asked_at=1.0))
    replica.bring(Traffic(main=version(2), asked_at=2.0))
    storage.delete("1")
    report = replica.bring(Traffic(main=version(1), asked_at=3.0))
    assert (report.main, report.versions) == (2, (2,))
    assert "received 1" in report.errors[1]


@pytest.mark.parametrize("broken", [4, 9])  # damaged, and not there
def test_a_version_that_does_not_load_is_refused_and_the_one_before_goes_on(replica, broken):
    replica.bring(Traffic(main=version(1), shares=(share(2),), asked_at=1.0))
    before = replica.now
    report = replica.bring(Traffic(main=version(broken), shares=(share(3),), last_good=version(1), asked_at=2.0))
    assert (report.versions, report.main, list(report.errors)) == ((1, 2), 1, [broken])
    assert replica.now is before
    assert replica.bring(Traffic(main=version(3), asked_at=3.0)).main == 3


def test_golden_rows_that_are_not_reproduced_are_a_refusal(replica, storage):
    golden = storage.read_json("2/golden.json")
    # A package whose checksums hold and whose scores are another's: as on a machine that computes otherwise.
    package = ModelPackage.load(Path(storage.uri("2")))
    storage.delete("2")
    scores = [[1 - score for score in row] for row in golden["scores"]]
    replace(package, golden=replace(package.golden, scores=scores)).save(Path(storage.uri("2")))
    replica.bring(Traffic(main=version(1), asked_at=1.0))
    report = replica.bring(Traffic(main=version(2), asked_at=2.0))
    assert report.main == 1
    assert "predicts its golden rows as it did when it was made" in report.errors[2]


def test_shares_and_shadows_that_do_not_load_are_left_out(replica):
    traffic = Traffic(main=version(1), shares=(share(4), share(2, 25)), shadow=version(9), asked_at=1.0)
    report = replica.bring(traffic)
    assert (report.versions, report.main, sorted(report.errors)) == ((1, 2), 1, [4, 9])
    assert replica.now.shadow is None
    assert {replica.now.assigned(str(key)).number for key in range(200)} == {1, 2}


def test_a_new_replica_answers_with_the_last_good_version_where_main_does_not_load(replica):
    report = replica.bring(Traffic(main=version(4), last_good=version(1), asked_at=1.0))
    assert (report.versions, report.main, list(report.errors)) == ((1,), 1, [4])
    assert replica.now.assigned("anyone").number == 1


def test_a_new_replica_without_any_version_does_not_start_and_says_why(replica):
    with pytest.raises(PackageError, match="as they were written"):
        replica.versions.start(Traffic(main=version(4), asked_at=1.0))
    assert [(report.main, list(report.errors)) for report in replica.reports] == [(None, [4])]
    assert replica.servings == []


def test_what_a_version_has_seen_is_kept_where_its_part_stays(replica):
    replica.bring(Traffic(main=version(1), shadow=version(2), asked_at=1.0))
    main, shadow = replica.now.main, replica.now.shadow
    replica.bring(Traffic(main=version(1), shares=(share(2),), asked_at=2.0))
    assert replica.now.main is main
    heard = replica.now.by_number[2]
    assert heard is not shadow  # it answers now: what it saw as a shadow is another window
    assert heard.predictor is shadow.predictor


def spoil(replica: Replica, number: int) -> None:
    """Weights that change in memory."""
    predictor = next(live.predictor for live in replica.now.lives if live.number == number)
    with torch.no_grad():
        for weights in predictor.package.members[0].model.module.parameters():
            weights.mul_(-3)


def test_what_reproduces_its_golden_rows_stays(replica):
    replica.bring(Traffic(main=version(1), last_good=version(2), asked_at=1.0))
    replica.versions.check()
    assert (len(replica.servings), len(replica.reports)) == (1, 1)


def test_main_that_fails_its_check_is_taken_out_and_the_last_good_version_answers(replica, storage):
    replica.bring(Traffic(main=version(2), shares=(share(3),), last_good=version(1), asked_at=1.0))
    spoil(replica, 2)
    replica.versions.check()
    report = replica.reports[-1]
    assert (report.asked_at, report.versions, report.main) == (1.0, (1, 3), 1)
    assert "version 2, live" in report.errors[2]
    assert {replica.now.assigned(str(key)).number for key in range(200)} == {1, 3}
    # When it is wanted again, it is read from storage again.
    assert replica.bring(Traffic(main=version(2), asked_at=2.0)).main == 2
    replica.versions.check()
    assert replica.reports[-1].asked_at == 2.0
    assert replica.reports[-1].errors == {}


def test_shares_and_shadows_that_fail_their_check_are_taken_out(replica):
    replica.bring(Traffic(main=version(1), shares=(share(2),), shadow=version(3), asked_at=1.0))
    spoil(replica, 2)
    spoil(replica, 3)
    replica.versions.check()
    assert (replica.reports[-1].versions, sorted(replica.reports[-1].errors)) == ((1,), [2, 3])
    assert replica.now.shadow is None
    assert {replica.now.assigned(str(key)).number for key in range(200)} == {1}


def test_main_answers_on_where_nobody_else_is_left_and_that_is_told_once(replica):
    replica.bring(Traffic(main=version(1), asked_at=1.0))
    spoil(replica, 1)
    replica.versions.check()
    replica.versions.check()
    assert [(report.main, list(report.errors)) for report in replica.reports] == [(1, []), (1, [1])]
    assert replica.now.main.number == 1


def test_a_wish_that_nothing_can_be_made_of_is_told(replica):
    replica.bring(Traffic(main=version(1), asked_at=1.0))
    report = replica.bring(Traffic(main=version(2), allow_code=(5,), asked_at=2.0))
    assert (report.main, list(report.errors)) == (1, [2])
    assert report.errors[2].startswith("TypeError")
    assert replica.bring(Traffic(main=version(2), asked_at=3.0)).main == 2


def test_nothing_is_swapped_in_or_told_after_the_end(replica):
    replica.bring(Traffic(main=version(1), asked_at=1.0))
    replica.versions.stop()
    (thread,) = [thread for thread in threading.enumerate() if thread.name == "versions"]
    replica.versions.want(Traffic(main=version(2), asked_at=2.0))
    thread.join(60)
    assert not thread.is_alive()
    assert (len(replica.servings), len(replica.reports)) == (1, 1)


def test_a_report_can_be_repeated_to_a_monitor_that_was_away(replica):
    replica.versions.tell_again()
    assert replica.reports == []
    told = replica.bring(Traffic(main=version(1), asked_at=1.0))
    replica.versions.tell_again()
    assert replica.reports == [told, told]
