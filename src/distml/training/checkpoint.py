"""A fit's state between epochs, for going on after a crash. Never part of a package."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

from distml.storage import Storage


@dataclass(frozen=True)
class Checkpoint:
    """Where a fit keeps its state: one file in storage, so that any node can go on from it."""

    storage: Storage
    key: str

    def save(self, state: dict[str, Any]) -> None:
        """Replaces the last state as a whole: a killed process leaves the old one or the new one.

        Raises `StorageError` where the disk hasn't room for it.
        """
        import torch

        content = io.BytesIO()
        torch.save(state, content)
        self.storage.check_room(content.tell(), self.key)
        self.storage.write_bytes(self.key, content.getvalue())

    def load(self) -> dict[str, Any] | None:
        """The last state, None when there is none: tensors and plain values, nothing that would execute."""
        import torch

        if not self.storage.exists(self.key):
            return None
        return torch.load(io.BytesIO(self.storage.read_bytes(self.key)), map_location="cpu", weights_only=True)

    def delete(self) -> None:
        self.storage.delete(self.key)
