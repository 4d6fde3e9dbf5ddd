"""A whole loop of the user's own: what it reports is a fit like any other, and what it does wrong is told in a line."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from distml import code
from distml.config import ModelConfig
from distml.errors import CodeError, DistmlError, TrainingError
from distml.metrics import metric_for
from distml.models import ModelSpec, load_model
from distml.models.own import code_for, code_of
from distml.storage import Storage
from distml.training import FitResult, FitSettings, fit, fit_folds
from distml.training.checkpoint import Checkpoint
from problems import problem, settings_of, spec_of

TRAIN, VALIDATION = problem("binary", n=200, noise=1.5), problem("binary", n=100, noise=1.5, seed=1)
SETTINGS = settings_of(max_epochs=8, patience=8, seed=3, checkpoint_interval_s=0)


@pytest.fixture
def mine(own_package):
    code.allow([own_package])
    return own_package


def own_spec(package: str, loop: str = "loop", task: str = "binary", **params) -> ModelSpec:
    refs = code_of(ModelConfig(factory=f"{package}.nets:build", train_fn=f"{package}.loops:{loop}"))
    return replace(spec_of("own", task, {"lr": 0.02, **params}), code=code_for("own", refs))


def run(spec: ModelSpec, settings: FitSettings = SETTINGS, on_epoch=None, validation=VALIDATION) -> FitResult:
    metric = metric_for("auto", spec.task)
    return fit(spec, TRAIN, validation, metric, settings, on_epoch or (lambda result: None))


def curve(spec: ModelSpec, settings: FitSettings = SETTINGS) -> tuple[FitResult, list[tuple[int, float, float]]]:
    epochs = []
    result = run(spec, settings, epochs.append)
    return result, [(epoch.epoch, epoch.train_loss, epoch.score) for epoch in epochs]


@pytest.mark.parametrize("loop", ["loop", "short"])
def test_it_is_a_fit(mine, loop, tmp_path):
    result, epochs = curve(own_spec(mine, loop), SETTINGS if loop == "loop" else settings_of(max_epochs=3, seed=3))
    assert [epoch for epoch, _, _ in epochs] == list(range(1, result.num_epochs + 1))
    assert result.best_score == max(score for _, _, score in epochs) > 0.7
    assert not result.is_cut_short
    np.testing.assert_array_equal(result.outputs, result.fitted.predict(VALIDATION))
    assert metric_for("auto", "binary")(VALIDATION.target, result.outputs) == pytest.approx(result.best_score)
    result.fitted.save(tmp_path)
    np.testing.assert_array_equal(load_model(tmp_path).predict(VALIDATION), result.outputs)


def test_it_repeats_itself(mine):
    assert curve(own_spec(mine))[1] == curve(own_spec(mine))[1]
    assert curve(own_spec(mine))[1] != curve(own_spec(mine), replace(SETTINGS, seed=4))[1]


def test_patience_ends_it(mine):
    result, epochs = curve(own_spec(mine, "loop", lr=0.3), settings_of(max_epochs=100, patience=2, seed=3))
    assert len(epochs) == result.best_epoch + 2 < 100
    np.testing.assert_array_equal(result.outputs, result.fitted.predict(VALIDATION))


def test_whoever_listens_ends_it(mine):
    result = run(own_spec(mine), on_epoch=lambda epoch: epoch.epoch < 3)
    assert (result.num_epochs, result.is_cut_short) == (3, True)


@pytest.mark.parametrize("loop", ["loop", "short"])
def test_a_refit_runs_the_epochs_that_it_is_given(mine, loop):
    result, epochs = [], []
    result = run(own_spec(mine, loop), replace(SETTINGS, until_epoch=4), epochs.append, validation=None)
    assert (len(epochs), result.num_epochs, result.best_epoch, result.best_score) == (4, 4, 4, None)
    assert result.outputs is None
    assert result.fitted.predict(VALIDATION).shape == (100, 2)


def test_others_go_on_from_what_it_saved(mine, tmp_path):
    first = replace(SETTINGS, until_epoch=3, keeps_last=True, checkpoint=Checkpoint(Storage(tmp_path), "first.pt"))
    run(own_spec(mine), first)
    _, epochs = curve(own_spec(mine), replace(SETTINGS, begin_from=first.checkpoint))
    assert epochs == curve(own_spec(mine))[1][3:]
    with pytest.raises(TrainingError, match="saves its state") as caught:
        run(own_spec(mine, "short"), replace(first, checkpoint=Checkpoint(Storage(tmp_path), "short.pt")))
    assert "handle.save" in caught.value.remedy


@pytest.mark.parametrize("task", ["multiclass", "regression"])
def test_any_task(mine, task):
    train, validation = problem(task), problem(task, seed=1)
    result = fit(own_spec(mine, task=task), train, validation, metric_for("auto", task), SETTINGS)
    np.testing.assert_array_equal(result.outputs, result.fitted.predict(validation))


@pytest.mark.parametrize("cut_after", [1, 4, 8])
def test_it_goes_on_where_it_was_cut_off(mine, tmp_path, cut_after):
    spec, whole = own_spec(mine), curve(own_spec(mine))
    settings = replace(SETTINGS, checkpoint=Checkpoint(Storage(tmp_path), "fit.pt"))

    def die(result):
        # As a kill does between the next epoch's report and what it saves.
        if result.epoch == cut_after + 1:
            raise KeyboardInterrupt

    if cut_after < 8:
        with pytest.raises(KeyboardInterrupt):
            run(spec, settings, die)
    else:
        run(spec, settings)
    result, epochs = curve(spec, settings)
    assert epochs == whole[1]
    assert (result.best_epoch, result.best_score) == (whole[0].best_epoch, whole[0].best_score)
    np.testing.assert_array_equal(result.outputs, whole[0].outputs)


def test_another_fit_begins_from_its_last_state(mine, tmp_path):
    first, second = (Checkpoint(Storage(tmp_path), name) for name in ("a.pt", "b.pt"))
    run(own_spec(mine), replace(SETTINGS, until_epoch=3, checkpoint=first, keeps_last=True))
    epochs = []
    settings = replace(SETTINGS, until_epoch=5, checkpoint=second, begin_from=first)
    run(own_spec(mine), settings, epochs.append)
    assert [(epoch.epoch, epoch.train_loss) for epoch in epochs] == [
        (epoch, loss) for epoch, loss, _ in curve(own_spec(mine))[1][3:5]
    ]


@pytest.mark.parametrize(
    ("loop", "told"),
    [
        ("silent", "reports its epochs; received none"),
        ("nan_loss", "a training loss is a number; received nan in epoch 1"),
        ("nan_outputs", "a validation score is a number; received nan in epoch 1"),
        ("swallows", "a training loss is a number; received nan in epoch 1"),
        ("last", "gives the weights of its best epoch; received weights whose outputs differ by"),
        ("deaf", "ends when report answers False; received another report after epoch 8"),
        ("skips", "one after another; received 2 after 0"),
        ("tells_nothing", "received neither `outputs` nor `state`"),
        ("one_output", r"reports outputs \[100, 2\].*received \[100, 1\]"),
        ("other_network", "fit the factory's network; received .*Missing key"),
        ("no_weights", "gives the weights of its network; received None"),
        ("a_module", "gives a state dict; received a Net"),
        ("saves_a_function", "saves tensors and plain values; received a function"),
    ],
)
def test_what_is_no_fit_is_told(mine, loop, told):
    with pytest.raises(TrainingError, match=told) as caught:
        run(own_spec(mine, loop))
    assert "\n" not in str(caught.value)


def test_what_it_raises_is_told_with_its_line(mine):
    with pytest.raises(CodeError, match=r"ValueError: out of paper at .*loops\.py, line \d+") as caught:
        run(own_spec(mine, "raises"))
    assert caught.value.where == f"model.train_fn {mine}.loops:raises"


def over_folds(spec: ModelSpec) -> FitResult:
    rows = replace(TRAIN, fold=(np.arange(len(TRAIN)) % 2).astype(np.int8))
    return fit_folds(spec, rows, metric_for("auto", "binary"), SETTINGS)


@pytest.mark.parametrize("fitted", [run, over_folds])
def test_what_a_network_raises_in_a_fit_is_told_with_its_line(mine, fitted):
    refs = code_of(ModelConfig(factory=f"{mine}.nets:tired"))
    spec = replace(spec_of("own", "binary"), code=code_for("own", refs))
    with pytest.raises(CodeError, match=r"ValueError: too tired at .*nets\.py, line \d+"):
        fitted(spec)


def test_one_that_goes_on_after_a_false_is_ended_and_its_best_weights_kept(mine):
    result = run(own_spec(mine, "deaf_with_states"), on_epoch=lambda epoch: epoch.epoch < 4)
    assert (result.num_epochs, result.is_cut_short) == (4, True)
    np.testing.assert_array_equal(result.outputs, result.fitted.predict(VALIDATION))


def test_an_error_of_who_listens_is_not_the_functions(mine):
    def refuse(result):
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        run(own_spec(mine), on_epoch=refuse)


def test_it_may_begin_with_other_weights(mine):
    weights = {name: one.clone() for name, one in run(own_spec(mine)).fitted.module.state_dict().items()}
    frozen = ("tables", "body")
    result = run(own_spec(mine), replace(SETTINGS, initial=weights, frozen=frozen))
    after = result.fitted.module.state_dict()
    assert torch.equal(after["body.weight"], weights["body.weight"])
    assert not torch.equal(after["head.weight"], weights["head.weight"])
    assert result.notes[0].startswith(f"begins with {len(weights)} of its {len(weights)} tensors")


def test_it_is_called_where_its_source_is_what_it_was(mine, rewrite_own):
    from own_code import LOOPS

    spec = own_spec(mine)
    rewrite_own(loops=LOOPS + "\n# changed\n")
    with pytest.raises(DistmlError, match="fitted with"):
        run(spec)
