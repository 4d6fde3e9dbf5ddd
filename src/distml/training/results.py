"""What a fit came to, in a folder of storage: its model, where it has one, and its outputs."""

from __future__ import annotations

import numpy as np

from distml.models import Model, load_model
from distml.storage import Storage
from distml.training.base import FitResult

OUTPUTS = "outputs.npy"


def write_result(storage: Storage, key: str, result: FitResult) -> None:
    """Writes what a fit came to; all of it shows at once. Raises `StorageError` where the disk is full."""
    with storage.new_folder(key) as home:
        if result.model is not None:
            result.model.save(home)
        if result.outputs is not None:
            np.save(home / OUTPUTS, result.outputs, allow_pickle=False)


def read_model(storage: Storage, key: str) -> Model:
    """The model that was written. Raises `NotFoundError` where nothing was."""
    with storage.local_folder(key) as home:
        return load_model(home)


def read_outputs(storage: Storage, key: str) -> np.ndarray:
    """The outputs that were written: see `FitResult`. Raises `NotFoundError` where there are none."""
    with storage.open_input(f"{key}/{OUTPUTS}") as file:
        return np.load(file, allow_pickle=False)
