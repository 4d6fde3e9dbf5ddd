"""How a search begins: the champion first, the study's file beside the log, and the same after a crash."""

from __future__ import annotations

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from distml.config import RunConfig
from distml.lifecycle.beginning import STUDY_FILE, begun, num_trials
from distml.metrics import METRICS
from distml.registry import StoreRegistry
from distml.storage import Storage
from distml.training import EpochResult
from distml.tune.log import TrialLog
from distml.tune.trial import Ending
from searches import Heard

SPACE = {"linear": {"lr": {"log": [0.001, 0.1]}, "weight_decay": 0.0}}
INSIDE = {"lr": 0.0123, "weight_decay": 0.0}


def config_of(**search) -> RunConfig:
    values = {"num_samples": 5, "space": SPACE, **search}
    data = {"source": {"uri": "sklearn:breast_cancer"}, "target": "target"}
    return RunConfig.model_validate({"name": "demo", "data": data, "model": {"families": ["linear"]}, "search": values})


def make_champion(storage: Storage, number: int, family="linear", **params) -> None:
    package = f"trained/{number}/package"
    storage.write_json(f"{package}/manifest.json", {"lineage": {"trial": {"family": family, "params": params}}})
    registry = StoreRegistry(storage)
    champion = registry.champion("demo")
    registry.register("demo", package=package, package_id=str(number), run="r", metrics={})
    registry.promote("demo", number, expected=champion and champion.number)


def carried_out(storage: Storage, config: RunConfig, heard: Heard, num_ended: int | None = None) -> list[dict]:
    """The params of the trials that a search gives out; it is cut off in the one after `num_ended`."""
    given = []
    with begun(config, METRICS["roc_auc"], heard, None, TrialLog(storage, "searched/k")) as search:
        while not search.is_exhausted:
            task = search.next()
            number = task.candidate.number
            given.append(task.candidate.params)
            score = 1.0 / (1 + abs(task.candidate.params["lr"] - 0.02))
            epoch = EpochResult(epoch=1, train_loss=0.1, score=score, best_score=score, best_epoch=1, seconds=0.1)
            search.add_epochs(number, [epoch])
            if num_ended is not None and number > num_ended:
                break
            search.end(number, Ending(state="finished"))
    return given


def study_of(storage: Storage) -> optuna.Study:
    place = f"{storage.root}/searched/k/{STUDY_FILE}"
    return optuna.load_study(study_name="demo", storage=JournalStorage(JournalFileBackend(place)))


def test_without_a_champion_the_defaults_are_first(tmp_path):
    heard = Heard()
    given = carried_out(Storage(tmp_path), config_of(), heard)
    assert given[0] == {"lr": 0.01, "weight_decay": 0.0}
    assert heard.notes == []


def test_a_champions_settings_are_tried_first_and_told(tmp_path):
    storage, heard = Storage(tmp_path), Heard()
    make_champion(storage, 1, **INSIDE)
    given = carried_out(storage, config_of(), heard)
    assert given[0] == pytest.approx(INSIDE)
    assert heard.notes == ["the settings of champion demo/1, linear, are tried first"]


@pytest.mark.parametrize(
    ("family", "params", "why"),
    [
        ("linear", {"lr": 0.5, "weight_decay": 0.0}, "received linear.lr = 0.5; lr is {log: [0.001, 0.1]}"),
        ("linear", {"lr": 0.05, "weight_decay": 0.1}, "received linear.weight_decay = 0.1; weight_decay is 0.0"),
        ("linear", {"momentum": 0.5}, "received linear.momentum = 0.5; linear has lr, weight_decay"),
        ("trees", {"lr": 0.05}, "a point is of a family that is searched; received trees; one of linear"),
    ],
)
def test_a_champion_outside_the_space_is_left_out_and_told_why(family, params, why, tmp_path):
    storage, heard = Storage(tmp_path), Heard()
    make_champion(storage, 1, family, **params)
    given = carried_out(storage, config_of(), heard)
    assert given[0] == {"lr": 0.01, "weight_decay": 0.0}
    (note,) = heard.notes
    assert note.startswith("the settings of champion demo/1 are not tried first: ")
    assert note.endswith(why)


def test_the_same_champion_gives_the_same_trials_and_another_others(tmp_path):
    given = []
    for name, lr in (("one", 0.0123), ("same", 0.0123), ("other", 0.09)):
        storage = Storage(tmp_path / name)
        make_champion(storage, 1, lr=lr, weight_decay=0.0)
        given.append(carried_out(storage, config_of(num_samples=12), Heard()))
    assert given[0] == given[1] != given[2]


def test_a_search_goes_on_with_the_champion_that_it_began_with(tmp_path):
    whole, cut = Storage(tmp_path / "whole"), Storage(tmp_path / "cut")
    for storage in (whole, cut):
        make_champion(storage, 1, **INSIDE)
    config = config_of(num_samples=12)
    wanted = carried_out(whole, config, Heard())
    assert carried_out(cut, config, Heard(), num_ended=7) == wanted[:8]
    make_champion(cut, 2, lr=0.09, weight_decay=0.0)
    heard = Heard()
    assert carried_out(cut, config, heard) == wanted[7:]
    assert heard.notes == ["goes on: 7 of 8 trials had ended"]


def test_after_a_crash_the_study_is_what_the_log_says(tmp_path):
    whole, cut = Storage(tmp_path / "whole"), Storage(tmp_path / "cut")
    config = config_of()
    carried_out(whole, config, Heard())
    carried_out(cut, config, Heard(), num_ended=2)
    assert [trial.state.name for trial in study_of(cut).trials] == ["COMPLETE", "COMPLETE", "RUNNING"]
    carried_out(cut, config, Heard())
    told = [[(t.number, t.params, t.value, t.state, t.intermediate_values) for t in study_of(storage).trials]
            for storage in (whole, cut)]  # fmt: skip
    assert told[0] == told[1]
    assert len(told[0]) == 5


@pytest.mark.parametrize(
    ("num_samples", "num_values", "note", "num_trials_wanted"),
    [
        (3, 5, "3 of the grid's 5 combinations are tried: search.num_samples", 3),
        (9, 5, "the search ends after the grid's 5 combinations", 5),
        (5, 5, None, 5),
    ],
)
def test_how_much_of_a_grid_is_tried_is_told(num_samples, num_values, note, num_trials_wanted, tmp_path):
    space = {"linear": {"lr": {"choice": [0.01 * (i + 1) for i in range(num_values)]}, "weight_decay": 0.0}}
    heard = Heard()
    given = carried_out(Storage(tmp_path), config_of(sampler="grid", space=space, num_samples=num_samples), heard)
    assert len(given) == num_trials_wanted == len({params["lr"] for params in given})
    assert heard.notes == ([] if note is None else [note])
    assert num_trials(config_of(sampler="grid", space=space, num_samples=num_samples)) == num_trials_wanted


def test_points_that_are_too_many_are_told(tmp_path):
    points = [{"family": "linear", "params": {"lr": lr}} for lr in (0.02, 0.03)]
    heard = Heard()
    given = carried_out(Storage(tmp_path), config_of(num_samples=2, points_to_evaluate=points), heard)
    assert [params["lr"] for params in given] == pytest.approx([0.02, 0.03])
    assert heard.notes == ["of 3 points that come first 2 are tried: search.num_samples"]


@pytest.mark.parametrize(
    ("search", "notes"),
    [
        ({"num_samples": 12, "population": 4, "interval_epochs": 34}, []),
        ({"num_samples": 8, "population": 4, "interval_epochs": 4},
         ["8 trials train 4 members for 8 of train.max_epochs 100: 100 would train them all to the end"]),
        ({"num_samples": 8, "population": 4, "interval_epochs": 100},
         ["search.interval_epochs 100 is not below train.max_epochs 100: no member takes up another's settings"]),
        ({"num_samples": 100, "population": 2, "interval_epochs": 2,
          "points_to_evaluate": [{"family": "linear", "params": {"lr": lr}} for lr in (0.02, 0.03)]},
         ["of 3 points that come first 2 are tried: search.population"]),
    ],
)  # fmt: skip
def test_how_far_a_population_comes_is_told(search, notes, tmp_path):
    heard = Heard()
    config = config_of(scheduler="pbt", **search)
    with begun(config, METRICS["roc_auc"], heard, None, TrialLog(Storage(tmp_path), "searched/k")):
        pass
    assert heard.notes == notes


@pytest.mark.parametrize(
    ("written", "has_room_for", "lag"), [("auto", None, 4), ("auto", 2, 4), ("auto", 16, 16), (8, 2, 8), (2, 2, 4)]
)
def test_a_number_of_trials_at_once_makes_every_machine_search_alike(written, has_room_for, lag, tmp_path):
    storage = Storage(tmp_path)
    config = config_of(max_concurrent_trials=written)
    with begun(config, METRICS["roc_auc"], Heard(), has_room_for, TrialLog(storage, "searched/k")):
        pass
    assert storage.read_json("searched/k/begun.json")["lag"] == lag
