"""Several workers on a cluster fit what one does, and end with their fit, whatever ends it."""

from __future__ import annotations

import os
import signal

import pytest

from distml.config.base import ResourcesConfig
from distml.errors import TrainingError
from distml.metrics import METRICS
from distml.storage import Storage
from distml.training import fit
from distml.training.checkpoint import Checkpoint
from problems import problem, settings_of, spec_of
from processes import descendants, gone

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_session")]

AUC = METRICS["roc_auc"]
CLOSE = 1e-5
WORKER = "ray::RayTrainWorker"


def rows():
    return problem("binary", n=151, noise=1.5), problem("binary", n=80, noise=1.5, seed=1)


def shared(spec, settings, on_epoch=lambda epoch: None, on_note=lambda line: None, data=None, workers=2):
    from distml.training.on_ray import fit_distributed

    train, validation = data or rows()
    return fit_distributed(
        spec, train, validation, AUC, settings, on_epoch, on_note,
        workers=workers, resources=ResourcesConfig(cpu=0.5),
    )  # fmt: skip


def losses(epochs):
    return [epoch.train_loss for epoch in epochs]


def placement_groups():
    from ray.util import placement_group_table

    return [group["state"] for group in placement_group_table().values() if group["state"] != "REMOVED"]


def no_dropout(**params):
    return spec_of("mlp", "binary", {"dropout": 0.0, "width": 16, **params})


def test_two_workers_fit_what_one_does_and_end_when_told():
    from distml.training.on_ray import stored

    def until_4(heard):
        return lambda epoch: heard.append(epoch) or epoch.epoch < 4

    train, validation = rows()
    settings = settings_of(max_epochs=9, batch_size=50, seed=3)
    alone, together, workers, notes = [], [], set(), []

    def hear(epoch):
        workers.update(descendants(WORKER))
        return until_4(together)(epoch)

    wanted = fit(no_dropout(), train, validation, AUC, settings, until_4(alone))
    found = shared(no_dropout(), settings, hear, notes.append, (stored(train), stored(validation)))
    assert len(workers) == 2
    assert [epoch.epoch for epoch in together] == [1, 2, 3, 4]
    assert losses(together) == pytest.approx(losses(alone), abs=CLOSE)
    assert [epoch.score for epoch in together] == pytest.approx([epoch.score for epoch in alone], abs=1e-3)
    assert (found.best_epoch, found.num_epochs, found.is_cut_short) == (wanted.best_epoch, 4, True)
    assert found.outputs == pytest.approx(wanted.outputs, abs=CLOSE)
    assert found.fitted.predict(train) == pytest.approx(wanted.fitted.predict(train), abs=CLOSE)
    assert notes == list(found.notes) == ["2 workers, joined by gloo"]
    assert gone(workers)
    assert placement_groups() == []


def test_trees_are_fitted_by_one_worker():
    train, validation = rows()
    settings = settings_of(max_epochs=2)
    found = shared(spec_of("trees", "binary"), settings)
    wanted = fit(spec_of("trees", "binary"), train, validation, AUC, settings)
    assert found.notes == ("trees: fitted by one worker",)
    assert found.outputs == pytest.approx(wanted.outputs)


@pytest.mark.slow
def test_a_fit_without_validation_rows_or_with_batch_normalisation_is_the_fit_of_one():
    spec = spec_of("resnet", "binary", {"dropout": 0.0, "residual_dropout": 0.0})
    settings = settings_of(max_epochs=3, batch_size=50, seed=3)
    train, _ = rows()
    alone, together = [], []
    wanted = fit(spec, train, None, AUC, settings, alone.append)
    found = shared(spec, settings, together.append, data=(train, None), workers=3)
    assert losses(together) == pytest.approx(losses(alone), rel=1e-3)
    assert found.outputs is None
    assert found.fitted.predict(train) == pytest.approx(wanted.fitted.predict(train), abs=1e-2)


@pytest.mark.slow
def test_what_ends_one_workers_fit_ends_all(tmp_path):
    diverging = spec_of("mlp", "binary", {"lr": 1e30})
    with pytest.raises(TrainingError) as wanted:
        fit(diverging, *rows(), AUC, settings_of(max_epochs=3))
    with pytest.raises(TrainingError) as found:
        shared(diverging, settings_of(max_epochs=3))
    assert found.value.rule == wanted.value.rule

    def stop(epoch):
        raise SystemExit

    with pytest.raises(SystemExit):
        shared(no_dropout(), settings_of(max_epochs=10**6), stop)
    with pytest.raises(ValueError, match="dropout"):
        shared(no_dropout(dropout=2.0), settings_of(max_epochs=3))
    assert gone(descendants(WORKER))
    assert placement_groups() == []


@pytest.mark.slow
def test_a_killed_worker_costs_what_the_last_checkpoint_missed(tmp_path):
    settings = settings_of(max_epochs=6, checkpoint_interval_s=0, seed=3)
    whole, heard, notes = [], [], []
    fit(no_dropout(), *rows(), AUC, settings, whole.append)

    def kill_at_3(epoch):
        heard.append(epoch)
        if len(heard) == 3:
            os.kill(max(descendants(WORKER)), signal.SIGKILL)

    begun = settings_of(max_epochs=6, checkpoint_interval_s=0, seed=3, checkpoint=Checkpoint(Storage(tmp_path), "x.pt"))
    found = shared(no_dropout(), begun, kill_at_3, notes.append)
    assert [epoch.epoch for epoch in heard] == [1, 2, 3, *range(1, 7)]
    assert len({(epoch.epoch, epoch.seconds) for epoch in heard}) == 6  # told again, not fitted again
    assert losses(heard[3:]) == pytest.approx(losses(whole), abs=CLOSE)
    assert notes == list(found.notes) == ["2 workers, joined by gloo", "a worker died; others take the fit up"]
    assert gone(descendants(WORKER))


@pytest.mark.slow
def test_workers_that_keep_dying_fail_the_fit():
    deaths = []

    def kill(epoch):
        deaths.append(epoch.epoch)
        os.kill(max(descendants(WORKER)), signal.SIGKILL)

    with pytest.raises(TrainingError, match="workers live as long as their fit; received 3 deaths, last: "):
        shared(no_dropout(), settings_of(max_epochs=10**6, patience=10**6), kill)
    assert gone(descendants(WORKER))
    assert placement_groups() == []
