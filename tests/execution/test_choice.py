"""What is measured, and what follows from it."""

from __future__ import annotations

import json

import pytest
import torch

from contracts.model import fitted, rows_for
from distml.execution import Execution, choose
from distml.execution.choice import SIZES, _fastest
from distml.models.network import NetworkModel

ROWS = {family: rows_for(family, "binary", n=60, seed=9) for family in ("linear", "trees")}


def times(torch_us: tuple[float, ...], onnx_us: tuple[float, ...]) -> dict[str, dict[str, float]]:
    return {
        name: {str(size): one for size, one in zip(SIZES, us, strict=True)}
        for name, us in (("torch", torch_us), ("onnx", onnx_us))
    }


@pytest.mark.parametrize(
    ("torch_us", "onnx_us", "engine"),
    [
        ((100, 100, 1000), (10, 20, 900), "onnx"),
        ((100, 100, 1000), (10, 20, 1200), "onnx"),  # slower at one size and much faster at the others
        ((100, 100, 1000), (100, 100, 1000), "torch"),
        ((100, 100, 1000), (95, 95, 950), "torch"),  # faster by less than chance
        ((100, 100, 1000), (200, 90, 900), "torch"),
    ],
)
def test_the_faster_over_all_sizes_is_taken(torch_us, onnx_us, engine):
    found, why = _fastest(times(torch_us, onnx_us))
    assert found == engine
    assert why.startswith("ONNX Runtime takes this share of torch's time, by rows: ")
    assert f"{onnx_us[2] / torch_us[2]:.2f} at 1000" in why


def test_a_network_is_timed_on_each_engine_at_each_size():
    before = torch.get_num_threads()
    trial = choose(fitted("linear", "binary"), ROWS["linear"])
    assert torch.get_num_threads() == before
    assert set(trial.execution.us) == {"torch", "onnx"}
    assert all(set(us) == {"1", "16", "1000"} for us in trial.execution.us.values())
    assert all(us > 0 for by_size in trial.execution.us.values() for us in by_size.values())
    assert trial.onnx is not None and trial.execution.group is not None
    assert (trial.execution.engine, trial.execution.why) == _fastest(trial.execution.us)


def test_trees_are_lightgbms():
    trial = choose(fitted("trees", "binary"), ROWS["trees"])
    assert trial.onnx is None
    assert (trial.execution.engine, set(trial.execution.us)) == ("lightgbm", {"lightgbm"})


def test_what_is_not_exported_is_torchs_and_says_why():
    trial = choose(fitted("linear", "binary"), ROWS["linear"].take(slice(0, 2)))
    assert trial.onnx is None
    assert (trial.execution.engine, set(trial.execution.us)) == ("torch", {"torch"})
    assert trial.execution.why == "not exported: 2 rows are too few to try it on"


@pytest.mark.parametrize("family", ["linear", "trees"])
def test_without_rows_nothing_is_timed(family):
    trial = choose(fitted(family, "binary"), ROWS[family].take(slice(0, 0)))
    assert trial.onnx is None
    assert all(us == {} for us in trial.execution.us.values())


def test_an_execution_survives_json():
    execution = choose(fitted("linear", "binary"), ROWS["linear"]).execution
    assert Execution.from_dict(json.loads(json.dumps(execution.to_dict()))) == execution


def test_a_model_moves_to_a_device():
    model = fitted("linear", "binary")
    assert isinstance(model, NetworkModel)
    moved = model.on("cpu")
    assert (moved.predict(ROWS["linear"]) == model.predict(ROWS["linear"])).all()
