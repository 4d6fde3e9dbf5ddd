"""Where a fit runs."""

from __future__ import annotations

from typing import Literal

import torch

from distml.errors import TrainingError


def choose_device(wanted: Literal["auto", "cpu", "cuda"]) -> torch.device:
    """The device asked for; `auto` is a GPU that is visible to this process, else the CPU."""
    if wanted == "cuda" and not torch.cuda.is_available():
        raise TrainingError(
            "train.device: cuda needs a GPU that torch can see",
            received="no CUDA device in this process",
            remedy="set train.device: auto, or give each trial one with search.resources_per_trial.gpu",
        )
    if wanted == "cpu" or not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda")
