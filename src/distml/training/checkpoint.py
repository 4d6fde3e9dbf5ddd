"""A fit's state between epochs, for going on after a crash. Never part of a package."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Writes beside the file and renames, so that a killed process leaves the last whole checkpoint."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    torch.save(state, temporary)
    os.replace(temporary, path)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Tensors and plain values only: `weights_only` refuses everything that would execute."""
    return torch.load(path, map_location="cpu", weights_only=True)
