"""Networks that aren't exported say why."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from contracts.model import fitted, rows_for
from distml.execution import NotExported, export
from distml.models.network import NetworkModel
from distml.models.own import OWN

LINEAR = fitted("linear", "binary")
ROWS = rows_for("linear", "binary", n=60, seed=9)


class Deciding(torch.nn.Module):
    """Does otherwise for rows of a large sum, which a trace of the first rows doesn't know of."""

    def __init__(self, limit: float) -> None:
        super().__init__()
        self.limit = limit
        self.layer = torch.nn.Linear(3, 2)

    def forward(self, numeric, categorical, tensors):
        outputs = self.layer(numeric)
        return outputs if float(numeric.abs().sum()) < self.limit else -outputs


class Untraceable(Deciding):
    def forward(self, numeric, categorical, tensors):
        raise ValueError("not with these rows\nand more")


def reason(model, batch=ROWS) -> str:
    with pytest.raises(NotExported) as caught:
        export(model, batch)
    return str(caught.value)


def test_the_same_network_gives_the_same_bytes():
    assert export(LINEAR, ROWS).content == export(LINEAR, ROWS.take(slice(10, 40))).content


def test_a_network_of_the_users_own_is_left_to_torch():
    spec = replace(LINEAR.spec, family=OWN)
    assert "user's own" in reason(NetworkModel(spec, LINEAR.module))


def test_a_network_that_decides_by_its_rows_differs_from_its_trace():
    torch.manual_seed(0)
    assert "scores of 60 rows differ by up to" in reason(NetworkModel(LINEAR.spec, Deciding(40.0)))


def test_what_the_exporter_says_is_told_in_one_line():
    told = reason(NetworkModel(LINEAR.spec, Untraceable(1.0)))
    assert told == "ValueError: not with these rows"


@pytest.mark.parametrize("n", [0, 2])
def test_a_few_rows_prove_nothing(n):
    assert reason(LINEAR, ROWS.take(slice(0, n))) == f"{n} rows are too few to try it on"


def test_lengths_are_as_ever_for_others():
    import rtdl_revisiting_models as rtdl

    from distml.execution.export import open_lengths

    with open_lengths():
        assert rtdl.len([1, 2]) == 2
        assert rtdl.len(torch.zeros(3, 2)) == 3
        with open_lengths():
            pass
    assert not hasattr(rtdl, "len")


def test_without_onnxruntime_it_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert reason(LINEAR) == "onnxruntime is not installed where it was packed"


def test_without_onnx_it_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert "Module onnx is not installed" in reason(LINEAR)


def test_scores_are_not_a_number_where_the_networks_are_not():
    numeric = ROWS.numeric.copy()
    numeric[0] = np.nan
    strange = replace(ROWS, numeric=numeric)
    exported = export(LINEAR, ROWS).model(LINEAR.spec, 100)
    np.testing.assert_array_equal(np.isnan(exported.predict(strange)), np.isnan(LINEAR.predict(strange)))
