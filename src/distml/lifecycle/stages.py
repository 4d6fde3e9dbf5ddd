"""A stage's result, kept under the hash of what it was made from: the same inputs are never worked on twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from distml.storage import Storage


def once(storage: Storage, folder: str, compute: Callable[[], dict[str, Any]]) -> tuple[dict[str, Any], bool]:
    """The JSON result of a stage and whether it was there already.

    `result.json` is written last, so a stage that was killed has none and is done again.
    """
    key = f"{folder}/result.json"
    if storage.exists(key):
        return storage.read_json(key), True
    storage.write_json(key, compute())
    return storage.read_json(key), False  # as a later run will read it
