"""The stages of a run, and where their results are: each under the hash of what it was made from, so that the same
inputs are never worked on twice.

`result.json` is written last: a folder without it is of a stage that was cut off, and is worked on again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, get_args

from distml.errors import NotFoundError
from distml.storage import Storage

Stage = Literal["prepare", "tune", "train", "evaluate", "gate"]
STAGES: tuple[Stage, ...] = get_args(Stage)
FOLDERS = {"prepare": "prepared", "tune": "searched", "train": "trained", "evaluate": "evaluated"}
RESULT = "result.json"


def folder_of(stage: Stage, key: str) -> str:
    """The folder in storage of what a stage comes to; `gate`, which registers and judges, has none.

    >>> folder_of("tune", "4f2a")
    'searched/4f2a'
    """
    return f"{FOLDERS[stage]}/{key}"


def result_in(storage: Storage, folder: str) -> dict[str, Any] | None:
    """The JSON result in a stage's folder; None where the stage was cut off or never begun, or its folder deleted."""
    try:
        return storage.read_json(f"{folder}/{RESULT}")
    except NotFoundError:
        return None


def once(storage: Storage, folder: str, compute: Callable[[], dict[str, Any]]) -> tuple[dict[str, Any], bool]:
    """The JSON result of a stage and whether it was there already."""
    known = result_in(storage, folder)
    if known is not None:
        return known, True
    key = f"{folder}/{RESULT}"
    storage.write_json(key, compute())
    return storage.read_json(key), False  # as a later run will read it
