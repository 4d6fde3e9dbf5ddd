"""A network that begins with another's weights, some of which stay."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from distml.errors import TrainingError
from distml.models import build_network
from distml.training.base import Notes
from distml.training.initial import begin_with, to_training
from problems import settings_of, spec_of


def network(width: int = 8, seed: int = 0, **shape) -> nn.Module:
    torch.manual_seed(seed)
    return build_network(
        spec_of("mlp", "binary", {"width": width, "num_blocks": 2, "numeric_embedding": "none"}, **shape)
    )


def begun(module: nn.Module, **settings) -> list[str]:
    notes = Notes(lambda line: None)
    begin_with(module, settings_of(**settings), notes)
    return notes.lines


def test_every_tensor_that_fits_is_taken():
    module, other = network(), network(seed=1).state_dict()
    assert begun(module, initial=other) == [
        f"begins with {len(other)} of its {len(other)} tensors from model.warm_start"
    ]
    assert all(torch.equal(one, other[name]) for name, one in module.state_dict().items())


def test_tensors_of_other_names_and_shapes_are_named():
    module, own = network(cardinalities=(9,)), network(cardinalities=(9,)).state_dict()
    other = {name: one for name, one in network(seed=1).state_dict().items() if name != "head.bias"}
    (line,) = begun(module, initial=other)
    assert "head.bias (none given)" in line
    assert "0.weight ([9, 5], not [5, 4])" in line
    assert "3 as they are drawn" in line
    after = module.state_dict()
    assert torch.equal(after["head.bias"], own["head.bias"])
    assert torch.equal(after["head.weight"], other["head.weight"])


def test_nothing_that_fits_is_an_error():
    with pytest.raises(TrainingError, match=r"none that fits.*not") as caught:
        begun(network(), initial={"head.weight": torch.zeros(1)})
    assert "search.space" in (caught.value.remedy or "")


def test_frozen_layers_do_not_train():
    module = network()
    begun(module, frozen=("input", "blocks"))
    assert {name for name, one in module.named_parameters() if one.requires_grad} == {"head.weight", "head.bias"}


@pytest.mark.parametrize(
    ("frozen", "told"),
    [(("haed",), "did you mean 'head'"), (("input", "blocks", "head"), "everything is frozen"), (("b",), "received b")],
)
def test_what_cannot_be_frozen_is_told(frozen, told):
    with pytest.raises(TrainingError, match=told):
        begun(network(), frozen=frozen)


def test_frozen_layers_keep_their_statistics():
    module = nn.Sequential(nn.BatchNorm1d(2), nn.Dropout(0.5), nn.BatchNorm1d(2))
    to_training(module, ("0", "1"))
    assert [part.training for part in module] == [False, False, True]
    before = module[0].running_mean.clone()
    module(torch.ones(4, 2) * 5)
    assert torch.equal(module[0].running_mean, before)
    assert not torch.equal(module[2].running_mean, torch.zeros(2))
