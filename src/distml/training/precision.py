"""In which precision a network's products are taken while it is fitted. Weights and validation are float32 always."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Literal

import torch

from distml.errors import TrainingError

Name = Literal["float32", "bf16", "fp16"]
_TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Precision:
    """A precision on a kind of device."""

    name: Name
    device: str

    def cast(self) -> contextlib.AbstractContextManager[object]:
        """Forward passes within are taken in it."""
        if self.name == "float32":
            return contextlib.nullcontext()
        return torch.autocast(self.device, dtype=_TYPES[self.name])

    def scaler(self) -> torch.amp.GradScaler:
        """What keeps small gradients from vanishing in fp16; elsewhere it does nothing."""
        return torch.amp.GradScaler(self.device, enabled=self.name == "fp16")


def choose_precision(wanted: Literal["auto", "float32", "bf16", "fp16"], device: torch.device) -> Precision:
    """The precision asked for; `auto` is bf16 on a GPU that has it, else float32.

    Raises `TrainingError` for one that the device hasn't.
    """
    has_bf16 = device.type != "cuda" or torch.cuda.is_bf16_supported(including_emulation=False)
    if wanted == "auto":
        return Precision("bf16" if device.type == "cuda" and has_bf16 else "float32", device.type)
    if wanted == "fp16" and device.type != "cuda":
        raise _lacking(wanted, "a CPU", "its products of 16 bits are emulated, and slower than float32")
    if wanted == "bf16" and not has_bf16:
        raise _lacking(wanted, torch.cuda.get_device_name(device), "GPUs before Ampere haven't got it")
    return Precision(wanted, device.type)


def _lacking(wanted: str, device: str, why: str) -> TrainingError:
    return TrainingError(
        f"train.precision: {wanted} needs a device that has it",
        received=f"{device}: {why}",
        remedy="set train.precision: auto, which takes what the device has",
    )
