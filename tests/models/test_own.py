"""A network of the user's own: made where that is allowed, tried before it is fitted, stored by its name."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from distml import code
from distml.batch import FeatureBatch
from distml.config import ModelConfig
from distml.errors import CodeError, PackageError
from distml.models import ModelSpec, build_network, load_model
from distml.models.network import NetworkModel
from distml.models.own import FAMILY, code_for, code_of
from problems import IMAGES, TASKS, problem, spec_of


@pytest.fixture
def mine(own_package):
    """The package's name, allowed."""
    code.allow([own_package])
    return own_package


def own_spec(package: str, function: str = "build", task: str = "binary", params=None, **shape) -> ModelSpec:
    refs = code_of(ModelConfig(factory=f"{package}.nets:{function}"))
    return replace(spec_of("own", task, params, **shape), code=code_for("own", refs))


def test_parameters_of_any_name_are_the_factorys():
    assert FAMILY.complete({"depth": 3, "act": "relu"}) == {**FAMILY.defaults, "depth": 3, "act": "relu"}
    assert dict(FAMILY.defaults) == {"lr": 1e-3, "weight_decay": 1e-4}


@pytest.mark.parametrize("task", TASKS)
def test_the_factory_is_given_parameters_and_inputs(mine, task):
    module = build_network(own_spec(mine, task=task, params={"width": 5}, cardinalities=(4, 7)))
    assert module.body.out_features == 5
    assert module.training


@pytest.mark.parametrize(
    ("function", "told"),
    [
        ("broken", "ValueError: no such layer at"),
        ("centred", "a row's outputs don't depend on other rows"),
        ("narrow", r"gives floats \[n, 2\]; received \(16,\) for n=16"),
        ("empty", "has parameters to train"),
        ("nothing", "makes a torch module; received a NoneType"),
        ("needs_depth", "KeyError: 'depth' at"),
    ],
)
def test_what_is_no_network_is_told_in_a_line(mine, function, told):
    with pytest.raises(CodeError, match=told) as caught:
        build_network(own_spec(mine, function))
    assert caught.value.where == f"model.factory {mine}.nets:{function}"
    assert "\n" not in str(caught.value)
    if "at" in told.split():
        assert "nets.py, line" in str(caught.value)


def test_trying_a_network_draws_no_random_number(mine):
    spec = own_spec(mine)
    torch.manual_seed(3)
    first = build_network(spec).state_dict()
    after = torch.rand(1)
    torch.manual_seed(3)
    module = code.load(f"{mine}.nets:build")[0](spec.params, spec.input)
    assert torch.equal(first["body.weight"], module.state_dict()["body.weight"])
    assert torch.equal(after, torch.rand(1))


@pytest.mark.parametrize("function", ["build", "tied"])
def test_a_network_is_stored_and_loaded(mine, function, tmp_path):
    spec = own_spec(mine, function, "multiclass")
    model = NetworkModel(spec, build_network(spec))
    batch = problem("multiclass", n=40)
    model.save(tmp_path)
    np.testing.assert_array_equal(load_model(tmp_path).predict(batch), model.predict(batch))
    stored = json.loads((tmp_path / "model.json").read_text())["code"]["factory"]
    assert (stored["module"], stored["attribute"]) == (f"{mine}.nets", function)
    assert len(stored["source_hash"]) == 64


def test_images_are_given_by_name(mine, rewrite_own):
    rewrite_own(nets=IMAGE_NET)
    spec = own_spec(mine, "build", num_numeric=0, cardinalities=())
    spec = replace(spec, input=replace(spec.input, tensors=IMAGES))
    none = FeatureBatch(numeric=np.empty((20, 0), np.float32), categorical=np.empty((20, 0), np.int64))
    rng = np.random.default_rng(0)
    photos = {name: rng.integers(0, 255, (20, *one.shape)).astype(np.uint8) for name, one in IMAGES.items()}
    assert NetworkModel(spec, build_network(spec)).predict(replace(none, tensors=photos)).shape == (20, 2)


IMAGE_NET = """
from torch import nn


class Net(nn.Module):
    def __init__(self, input):
        super().__init__()
        self.head = nn.Linear(input.tensors["photo"].size, input.num_outputs)

    def forward(self, numeric, categorical, tensors):
        return self.head(tensors["photo"].float().flatten(1) / 255)


def build(params, input):
    return Net(input)
"""


def test_loading_is_refused_where_the_code_is_not_allowed(mine, tmp_path, monkeypatch):
    spec = own_spec(mine)
    NetworkModel(spec, build_network(spec)).save(tmp_path)
    monkeypatch.setenv(code.VARIABLE, "")
    with pytest.raises(CodeError, match=f"--allow-code {mine}") as caught:
        load_model(tmp_path)
    assert caught.value.where == "model.factory"


def test_another_source_is_another_model(mine, tmp_path, rewrite_own):
    from own_code import NETS

    spec = own_spec(mine)
    NetworkModel(spec, build_network(spec)).save(tmp_path)
    rewrite_own(nets=NETS.replace("torch.relu", "torch.tanh"))
    with pytest.raises(PackageError, match="fitted with"):
        load_model(tmp_path)
    rewrite_own()
    assert load_model(tmp_path)


def test_what_is_no_function_is_refused(mine):
    with pytest.raises(CodeError, match=r"model\.factory is called"):
        code_of(ModelConfig(factory=f"{mine}.nets:number"))
    with pytest.raises(CodeError, match="did you mean 'build'"):
        code_of(ModelConfig(factory=f"{mine}.nets:buidl"))


def test_each_family_has_the_code_that_it_is_fitted_with(mine):
    names = {"factory": f"{mine}.nets:build", "loss": f"{mine}.losses:focal"}
    refs = code_of(ModelConfig(**names))
    assert {name: tuple(code_for(name, refs)) for name in ("own", "mlp", "trees")} == {
        "own": ("factory", "loss"),
        "mlp": ("loss",),
        "trees": (),
    }
    refs = code_of(ModelConfig(**names, train_fn=f"{mine}.losses:plain", families=["own", "mlp"]))
    assert tuple(code_for("own", refs)) == ("factory", "train_fn")
