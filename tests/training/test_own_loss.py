"""A loss of the user's own: for every network, row by row."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from distml import code
from distml.config import ModelConfig
from distml.errors import CodeError
from distml.metrics import metric_for
from distml.models.own import code_for, code_of
from distml.training import fit
from problems import TASKS, problem, settings_of, spec_of

SETTINGS = settings_of(max_epochs=3, seed=1)


def fitted(package: str | None, family: str, task: str = "binary", loss: str = "plain", **changes):
    spec = spec_of(family, task)
    if package is not None:
        spec = replace(spec, code=code_for(family, code_of(ModelConfig(loss=f"{package}.losses:{loss}"))))
    batch = replace(problem(task), **changes)
    return fit(spec, batch, None, metric_for("auto", task), SETTINGS).fitted.predict(problem(task, n=50, seed=2))


@pytest.fixture
def mine(own_package):
    code.allow([own_package])
    return own_package


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("family", ["linear", "mlp"])
def test_the_usual_loss_written_by_hand_gives_the_usual_model(mine, family, task):
    np.testing.assert_allclose(fitted(mine, family, task), fitted(None, family, task), atol=1e-6)


def test_another_loss_gives_another_model(mine):
    assert (fitted(mine, "mlp", loss="focal") != fitted(None, "mlp")).any()


def test_rows_weigh_as_ever(mine):
    weight = (np.arange(300) % 3).astype(np.float32)
    np.testing.assert_allclose(fitted(mine, "linear", weight=weight), fitted(None, "linear", weight=weight), atol=1e-6)


@pytest.mark.parametrize(
    ("loss", "told"),
    [
        ("mean", r"gives each row's loss; received \[\] for 32 rows"),
        ("broken", r"IndexError: .* at .*losses\.py, line"),
    ],
)
def test_what_is_no_loss_is_told_in_a_line(mine, loss, told):
    with pytest.raises(CodeError, match=told) as caught:
        fitted(mine, "linear", loss=loss)
    assert caught.value.where == f"model.loss {mine}.losses:{loss}"
