"""ONNX Runtime as an engine of each family of networks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from contracts.engine_of_model import EngineContract
from contracts.model import fitted, rows_for
from distml.batch import FeatureBatch
from distml.errors import PackageError
from distml.execution import Exported, OnnxModel, export
from distml.models import Model


class _OnnxContract(EngineContract):
    @classmethod
    def engine_of(cls, model: Model, batch: FeatureBatch) -> Model:
        return export(model, batch).model(model.spec, rows_at_once=256)


class TestLinear(_OnnxContract):
    family = "linear"


class TestMLP(_OnnxContract):
    family = "mlp"


class TestResNet(_OnnxContract):
    family = "resnet"


class TestFTTransformer(_OnnxContract):
    family = "ft_transformer"


class TestTabM(_OnnxContract):
    family = "tabm"


class TestCNN(_OnnxContract):
    family = "cnn"


@pytest.fixture(scope="module")
def linear() -> tuple[Model, FeatureBatch, Exported]:
    model, batch = fitted("linear", "binary"), rows_for("linear", "binary", n=100, seed=9)
    return model, batch, export(model, batch)


@pytest.mark.parametrize("rows_at_once", [0, 1, 2, 7, 99, 100, 1000])
def test_rows_are_scored_alike_however_many_go_at_once(linear, rows_at_once):
    model, batch, exported = linear
    engine = exported.model(model.spec, rows_at_once)
    np.testing.assert_array_equal(engine.predict(batch), exported.model(model.spec, 1000).predict(batch))


def test_rows_of_a_larger_array_are_scored(linear):
    model, batch, exported = linear
    engine = exported.model(model.spec, 1000)
    np.testing.assert_array_equal(engine.predict(batch.take(slice(0, 100, 2))), engine.predict(batch)[::2])


def test_what_is_no_network_is_refused(linear):
    with pytest.raises(PackageError, match=r"an exported network is one that ONNX Runtime takes; .*model\.onnx"):
        OnnxModel(linear[0].spec, b"not a network", group=2, rows_at_once=1000)


def test_it_has_no_weights_to_save(linear, tmp_path: Path):
    model, _, exported = linear
    with pytest.raises(PackageError, match="as_fitted=True"):
        exported.model(model.spec, 1000).save(tmp_path)
