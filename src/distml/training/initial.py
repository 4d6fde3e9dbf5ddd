"""Weights that a network begins with, and those that stay as they are: a warm start."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from distml.errors import TrainingError, did_you_mean
from distml.training.base import FitSettings, Notes
from distml.training.warm import begins


def begin_with(module: nn.Module, settings: FitSettings, notes: Notes) -> None:
    """Gives a fresh network the weights that the settings hold for it, and freezes what they say.

    Taken are tensors of the same name and shape; a line tells which of the network's own were left as they are.
    Raises `TrainingError` where none fits, and for a prefix of frozen ones that nothing begins with.
    """
    if settings.initial is not None:
        notes(_take(module, settings.initial))
    if settings.frozen:
        freeze(module, settings.frozen)


def _take(module: nn.Module, initial: Mapping[str, torch.Tensor]) -> str:
    own = module.state_dict()
    fitting = {name: initial[name] for name, one in own.items() if name in initial and initial[name].shape == one.shape}
    left = [f"{name} ({_why(name, one, initial)})" for name, one in own.items() if name not in fitting]
    if not fitting:
        raise TrainingError(
            "a network begins with weights of its names and shapes", received=f"none that fits: {', '.join(left)}",
            where="model.warm_start", remedy="fix in search.space the sizes that the package's layers have",
        )  # fmt: skip
    module.load_state_dict(fitting, strict=False)
    told = f"begins with {len(fitting)} of its {len(own)} tensors from model.warm_start"
    return f"{told}; {len(left)} as they are drawn: {', '.join(left)}" if left else told


def _why(name: str, own: torch.Tensor, initial: Mapping[str, torch.Tensor]) -> str:
    return f"{list(own.shape)}, not {list(initial[name].shape)}" if name in initial else "none given"


def freeze(module: nn.Module, prefixes: tuple[str, ...]) -> None:
    """Keeps parameters whose names begin so from being trained. Raises `TrainingError` where that is none or all."""
    parameters = dict(module.named_parameters())
    for prefix in prefixes:
        if not any(begins(name, [prefix]) for name in parameters):
            near = did_you_mean(prefix, sorted({name.rpartition(".")[0] for name in parameters}))
            raise TrainingError(
                "what is frozen is there", received=prefix, where="model.warm_start.frozen",
                remedy=f"did you mean {near!r}?" if near else f"tensors: {', '.join(parameters)}",
            )  # fmt: skip
    for name, parameter in parameters.items():
        parameter.requires_grad_(parameter.requires_grad and not begins(name, prefixes))
    if not any(parameter.requires_grad for parameter in parameters.values()):
        raise TrainingError(
            "something of a network is trained", received="everything is frozen", where="model.warm_start.frozen",
            remedy="leave the last layer out",
        )  # fmt: skip


def to_training(module: nn.Module, frozen: tuple[str, ...]) -> None:
    """`module.train()`, but for the layers that are frozen: their running statistics and dropout are as when it
    predicts."""
    module.train()
    for name, part in module.named_modules():
        if name and begins(name, frozen):
            part.eval()
