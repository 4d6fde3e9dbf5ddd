"""The course of a fit: where it begins, what it leaves, who ends it."""

from dataclasses import replace

import numpy as np
import pytest

from distml.errors import TrainingError
from distml.metrics import METRICS
from distml.storage import Storage
from distml.training import fit, fit_folds
from distml.training.checkpoint import Checkpoint
from problems import problem, settings_of, spec_of

AUC = METRICS["roc_auc"]
TRAIN, VALIDATION = problem("binary", n=120, noise=2.0), problem("binary", n=60, noise=2.0, seed=1)
DEALT = replace(TRAIN, fold=(np.arange(120) % 4).astype(np.int8))
SPEC = spec_of("mlp", "binary", {"width": 16, "dropout": 0.3, "lr": 0.02})
TREES = spec_of("trees", "binary", {"min_child_samples": 5})
specs = pytest.mark.parametrize("spec", [SPEC, TREES], ids=["mlp", "trees"])


class Killed(Exception):
    pass


def curve(spec=SPEC, settings=None, end_at=None, kill_at=None, rows=None):
    """The result and the epochs told of, of a fit or, where rows are given, of one over their folds."""
    told = []

    def on_epoch(result):
        told.append((result.epoch, result.score, result.best_score, result.best_epoch))
        if result.epoch == kill_at:
            raise Killed
        return result.epoch != end_at

    settings = settings or settings_of(max_epochs=8, seed=5)
    try:
        if rows is not None:
            return fit_folds(spec, rows, AUC, settings, on_epoch), told
        return fit(spec, TRAIN, VALIDATION, AUC, settings, on_epoch), told
    except Killed:
        return None, told


@pytest.fixture
def places(tmp_path):
    return [Checkpoint(Storage(tmp_path), f"{name}.pt") for name in ("first", "second")]


@specs
@pytest.mark.parametrize("rows", [None, DEALT], ids=["rows", "folds"])
def test_a_killed_fit_goes_on_as_if_it_had_not_been(spec, rows, places):
    whole, told = curve(spec, rows=rows)
    settings = settings_of(max_epochs=8, seed=5, checkpoint_interval_s=0, checkpoint=places[0])
    _, before = curve(spec, settings, kill_at=5, rows=rows)
    result, after = curve(spec, settings, rows=rows)
    assert before == told[:5]
    assert after == told
    np.testing.assert_array_equal(result.outputs, whole.outputs)
    if rows is None:
        np.testing.assert_array_equal(result.model.predict(VALIDATION), whole.model.predict(VALIDATION))


@specs
def test_outputs_are_those_of_the_best_epochs_model(spec):
    result, _ = curve(spec)
    np.testing.assert_allclose(result.outputs, result.model.predict(VALIDATION), atol=1e-12)
    assert AUC(VALIDATION.target, result.outputs) == result.best_score


def test_without_validation_rows_there_are_no_outputs():
    assert fit(SPEC, TRAIN, None, AUC, settings_of(max_epochs=2)).outputs is None


@specs
def test_who_hears_of_an_epoch_can_end_the_fit(spec):
    whole, told = curve(spec)
    result, heard = curve(spec, end_at=4)
    assert heard == told[:4]
    assert (result.num_epochs, result.is_cut_short, whole.is_cut_short) == (4, True, False)
    assert (result.best_score, result.best_epoch) == told[3][2:]


def test_what_is_told_again_can_end_the_fit_too(places):
    settings = settings_of(max_epochs=8, seed=5, checkpoint_interval_s=0, checkpoint=places[0])
    curve(SPEC, settings, kill_at=5)
    result, heard = curve(SPEC, settings, end_at=3)
    assert len(heard) == 5, "every epoch of the state is told of"
    assert (result.num_epochs, result.is_cut_short) == (5, True)


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_a_fit_until_an_epoch_is_the_beginning_of_the_whole_one(schedule):
    _, told = curve(SPEC, settings_of(max_epochs=8, seed=5, schedule=schedule))
    result, heard = curve(SPEC, settings_of(max_epochs=8, seed=5, schedule=schedule, until_epoch=3))
    assert heard == told[:3]
    assert (result.num_epochs, result.is_cut_short) == (3, False)


@specs
def test_a_fit_begins_from_where_another_ended(spec, places):
    """With the same parameters it is the same fit, but that what is best is looked for anew."""
    _, told = curve(spec)
    curve(spec, settings_of(max_epochs=8, seed=5, until_epoch=3, keeps_last=True, checkpoint=places[0]))
    settings = settings_of(max_epochs=8, seed=5, checkpoint=places[1], begin_from=places[0])
    result, heard = curve(spec, settings)
    assert [(epoch, score) for epoch, score, _, _ in heard] == [(epoch, score) for epoch, score, _, _ in told[3:]]
    assert result.best_score == max(score for _, score, _, _ in heard)
    assert result.best_epoch > 3


def test_the_learning_rate_is_that_of_the_fit_that_begins(places):
    curve(SPEC, settings_of(max_epochs=8, seed=5, until_epoch=3, keeps_last=True, checkpoint=places[0]))
    settings = settings_of(max_epochs=8, seed=5, until_epoch=4, checkpoint=places[1], begin_from=places[0])
    same, _ = curve(SPEC, settings)
    other, _ = curve(replace(SPEC, params={**SPEC.params, "lr": 0.2}), settings)
    assert (same.outputs != other.outputs).any()


def test_its_own_checkpoint_comes_first(places):
    first, second = places
    curve(SPEC, settings_of(max_epochs=8, seed=5, until_epoch=3, keeps_last=True, checkpoint=first))
    settings = settings_of(max_epochs=8, seed=5, checkpoint=second, begin_from=first, checkpoint_interval_s=0)
    _, told = curve(SPEC, replace(settings, checkpoint=None))
    _, before = curve(SPEC, settings, kill_at=6)
    first.delete()
    _, after = curve(SPEC, settings)
    assert [epoch for epoch, *_ in before] == [4, 5, 6]
    assert after == told


def test_a_fit_begins_from_a_state_that_is_there(places):
    with pytest.raises(TrainingError, match=r"has left its state; received none at first\.pt"):
        curve(SPEC, settings_of(begin_from=places[0]))


def test_the_last_state_is_written_where_it_is_asked_for(places):
    curve(SPEC, settings_of(max_epochs=3, checkpoint_interval_s=1e6, checkpoint=places[0]))
    assert places[0].load() is None
    curve(SPEC, settings_of(max_epochs=3, checkpoint_interval_s=1e6, checkpoint=places[0], keeps_last=True))
    assert [result["epoch"] for result in places[0].load()["epochs"]] == [1, 2, 3]


def test_notes_are_told_once_and_kept_with_the_state(places):
    heard = []
    settings = settings_of(max_epochs=2, precision="bf16", checkpoint=places[0], keeps_last=True)
    for _ in range(2):
        result = fit(SPEC, TRAIN, VALIDATION, AUC, settings, on_note=heard.append)
        assert result.notes == ("precision: bf16 on cpu",)
    assert heard == ["precision: bf16 on cpu"] * 2, "once by each process"


def test_trees_tell_what_they_do_not_heed():
    settings = settings_of(max_epochs=1, accumulate=2, schedule="cosine", patience=3)
    assert fit(TREES, TRAIN, VALIDATION, AUC, settings).notes == (
        "trees: train.accumulate is for networks and isn't heeded",
        "trees: train.schedule is for networks and isn't heeded",
    )
