"""The stage `train`: members from what trials left, refits that are not repeated, scores by fold."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from distml.config import RunConfig, parse_config
from distml.data import LocalEngine
from distml.errors import ConfigError
from distml.lifecycle.fits import Fits
from distml.lifecycle.preflight import check_choices
from distml.lifecycle.prepare import prepare
from distml.lifecycle.search import Searched, search
from distml.lifecycle.train import Trained, train
from distml.metrics import METRICS
from distml.package import MANIFEST
from distml.predictor import Predictor
from distml.storage import Storage
from distml.tune.results import TrialResults
from searches import Heard
from tables import raw_table


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("table") / "rows.parquet"
    pq.write_table(raw_table(400), path)
    return path


def config_of(folder: Any, table: Any, target: str = "value", **sections: Any) -> RunConfig:
    config = {
        "name": "tiny",
        "storage": str(folder),
        "data": {"source": {"uri": str(table)}, "target": target, "exclude": [{"value": "y", "y": "value"}[target]]},
        "model": {"families": ["linear", "mlp", "trees"]},
        **sections,
        "search": {"num_samples": 4, "sampler": "random", "scheduler": "none", **sections.get("search", {})},
        "train": {"max_epochs": 4, **sections.get("train", {})},
    }
    return parse_config(json.dumps(config))


class Run:
    """The stages up to `train`, in this process."""

    def __init__(self, config: RunConfig) -> None:
        self.config = config
        self.storage = Storage(config.storage)
        self.prepared = prepare(config, self.storage, LocalEngine())
        self.searched: Searched = search(config, self.prepared, self.storage, Heard(), max_concurrent=None)

    def train(self) -> Trained:
        return train(self.config, self.prepared, self.searched, self.storage, LocalEngine())

    def predictor(self, trained: Trained) -> Predictor:
        with self.storage.local_folder(trained.package) as folder:
            return Predictor.load(folder)


def counted_fits(monkeypatch) -> list[tuple[str, str]]:
    """(name, rows) of every fit that the stage carries out from now on."""
    carried_out: list[tuple[str, str]] = []
    fit = Fits._fit

    def counted(self, task):
        carried_out.append((task.name, task.rows))
        return fit(self, task)

    monkeypatch.setattr(Fits, "_fit", counted)
    return carried_out


def test_one_trial_is_refitted_for_its_best_number_of_epochs(tmp_path, table, monkeypatch):
    run = Run(config_of(tmp_path, table))
    carried_out = counted_fits(monkeypatch)
    trained = run.train()
    best = run.searched.best
    (member,) = trained.members
    assert (member["trial"], member["family"], member["weight"]) == (best.number, best.family, 1.0)
    assert member["num_epochs"] == best.best_epoch
    assert sorted(carried_out) == [
        ("linear", "train"), (f"member-{best.number}", "train+validation"), ("trees", "train"),
    ]  # fmt: skip
    # The metrics are those of the trial's own outputs, from before the refit.
    assert trained.validation["rmse"] == pytest.approx(best.score, rel=1e-6)


def test_a_blend_is_one_package_no_worse_on_held_out_rows_than_its_best_trial(tmp_path, table):
    run = Run(config_of(tmp_path, table, search={"num_samples": 6, "ensemble_size": 4}))
    trained = run.train()
    assert 1 < len(trained.members) <= 4
    assert sum(member["weight"] for member in trained.members) == pytest.approx(1)
    assert trained.validation["rmse"] < run.searched.best.score
    predictor = run.predictor(trained)
    assert [member.model.spec.family for member in predictor.package.members] == [m["family"] for m in trained.members]
    rows, _ = run.prepared.rows("validation")
    prediction = predictor.predict(rows)
    by_hand = sum(
        member["weight"] * Fits(None, run.prepared, run.storage, f"trained/{trained.key}")
        .model(f"member-{member['trial']}").predict(run.prepared.features(recipe, "validation"))
        for member in trained.members
        for recipe in ["trees" if member["family"] == "trees" else "dense"]
    )  # fmt: skip
    assert prediction.values == pytest.approx(run.prepared.target.decode(by_hand), rel=1e-5)
    lineage = predictor.package.lineage
    assert [member["trial"] for member in lineage["members"]] == [member["trial"] for member in trained.members]
    assert lineage["fitted"]["blend"] == ["validation"]


def test_without_a_refit_nothing_is_fitted_twice(tmp_path, table, monkeypatch):
    run = Run(config_of(tmp_path, table, train={"refit": "none"}, search={"ensemble_size": 3}))
    carried_out = counted_fits(monkeypatch)
    trained = run.train()
    assert sorted(name for name, _ in carried_out) == ["linear", "trees"]
    rows, _ = run.prepared.rows("validation")
    prediction = run.predictor(trained).predict(rows)
    target = run.prepared.target.decode(run.prepared.features("dense", "validation").target)
    assert METRICS["rmse"](target, prediction.values) == pytest.approx(trained.validation["rmse"], rel=1e-5)


def test_the_best_trial_is_fitted_again_where_it_left_nothing(tmp_path, table, monkeypatch):
    run = Run(config_of(tmp_path, table, train={"refit": "none"}))
    best = run.searched.best
    TrialResults(run.storage, f"searched/{run.searched.key}").delete(best.number)
    carried_out = counted_fits(monkeypatch)
    trained = run.train()
    assert (f"trial-{best.number}", "train") in carried_out
    assert trained.validation["rmse"] == pytest.approx(best.score, rel=1e-6)


@pytest.mark.parametrize("families", [["linear"], ["trees"]])
def test_the_best_of_trials_over_folds_is_fitted_over_them_again(tmp_path, table, families):
    config = config_of(tmp_path, table, model={"families": families}, split={"folds": 3}, search={"num_samples": 2})
    run = Run(config)
    best = run.searched.best
    TrialResults(run.storage, f"searched/{run.searched.key}").delete(best.number)
    assert run.train().validation["rmse"] == pytest.approx(best.score, rel=1e-6)


def test_fits_that_had_ended_are_not_repeated_after_a_crash(tmp_path, table, monkeypatch):
    run = Run(config_of(tmp_path, table, search={"ensemble_size": 3}))
    carried_out = counted_fits(monkeypatch)
    with monkeypatch.context() as patch:
        patch.setattr("distml.lifecycle.train.pack", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            run.train()
    assert len(carried_out) > 2
    before = list(carried_out)
    run.train()
    assert carried_out == before


def test_probabilities_are_calibrated_and_decided_on_the_same_rows(tmp_path, table):
    after = {"calibration": "platt", "threshold": {"maximize": "f1"}}
    run = Run(config_of(tmp_path, table, target="y", postprocess=after))
    trained = run.train()
    postprocess = run.predictor(trained).package.postprocess
    plain = Run(config_of(tmp_path, table, target="y", postprocess={"calibration": "none"}))
    assert plain.searched.was_reused  # what comes after the models is no reason to search again
    assert plain.train().validation["log_loss"] > trained.validation["log_loss"]
    assert postprocess.calibration is not None and 0 < postprocess.threshold < 1


@pytest.mark.parametrize("families", [["linear"], ["trees"]])
def test_scores_by_fold_are_of_all_rows_and_the_package_is_refitted_on_them(tmp_path, table, families):
    config = config_of(tmp_path, table, model={"families": families}, split={"folds": 3},
                       search={"num_samples": 3, "ensemble_size": 2})  # fmt: skip
    run = Run(config)
    rows = run.prepared.fit_rows("trees")
    outputs = TrialResults(run.storage, f"searched/{run.searched.key}").outputs(run.searched.best.number)
    assert len(outputs) == len(rows) == run.prepared.num_rows["train"] + run.prepared.num_rows["validation"]
    by_hand = METRICS["rmse"](run.prepared.target.decode(rows.target), run.prepared.target.decode(outputs))
    assert run.searched.best.score == pytest.approx(by_hand, rel=1e-6)
    trained = run.train()
    assert trained.validation["rmse"] <= run.searched.best.score * (1 + 1e-6)
    manifest = run.storage.read_json(f"{trained.package}/{MANIFEST}")
    assert manifest["lineage"]["fitted"]["epochs"] == ["train", "validation"]
    assert np.isfinite(run.predictor(trained).predict(run.prepared.rows("validation")[0]).values).all()


def test_folds_without_a_refit_are_refused(tmp_path, table):
    with pytest.raises(ConfigError, match="refit"):
        config_of(tmp_path, table, split={"folds": 3}, train={"refit": "none"})


@pytest.mark.parametrize("after", [{"calibration": "isotonic"}, {"threshold": {"maximize": "f1"}}, {"threshold": 0.3}])
def test_what_is_for_two_classes_is_refused_for_a_number(tmp_path, table, after):
    config = config_of(tmp_path, table, postprocess=after)
    prepared = prepare(config, Storage(config.storage), LocalEngine())
    with pytest.raises(ConfigError, match="two classes"):
        check_choices(config, prepared)
