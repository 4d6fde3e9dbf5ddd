"""How long a run may take, from what earlier runs of the same name took.

A stage's time is taken from the newest run that worked it out: one that found its result had nothing to do. It is
scaled by rows, and a search by trials too; how many ran at once, and which models they chose, is taken to be as then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from distml.lifecycle.claims import STAGE_FOLDERS
from distml.storage import Storage

ESTIMATED = ("prepare", "tune", "train", "evaluate")


@dataclass(frozen=True, kw_only=True)
class Timing:
    """What a stage of an earlier run took, over how many rows and trials; `num_rows` None: it isn't known any more."""

    run: str
    seconds: float
    num_rows: int | None
    num_trials: int


def timings(storage: Storage, records: Sequence[Mapping[str, Any]]) -> dict[str, Timing]:
    """By stage, from the records of one model, oldest first; stages that no run tells of are left out."""
    found: dict[str, Timing] = {}
    for record in reversed(records):
        if record["state"] != "finished" or record.get("resumed_at"):
            continue  # a resumed run tells the time of its last part alone
        for stage in ESTIMATED:
            if stage not in found and _worked_out(storage, record, stage):
                found[stage] = _timing(storage, record, stage)
    return found


def _worked_out(storage: Storage, record: Mapping[str, Any], stage: str) -> bool:
    """Whether a run made a stage's result, not found it. What is evaluated is taken to go with what is trained."""
    key = record["stages"].get(stage)
    folder = STAGE_FOLDERS["train" if stage == "evaluate" else stage]
    if key is None:
        return False
    made_at = storage.usage(f"{folder}/{key}/result.json").changed_at
    return made_at >= datetime.fromisoformat(record["started_at"]).timestamp()


def _timing(storage: Storage, record: Mapping[str, Any], stage: str) -> Timing:
    key = f"prepared/{record['stages']['prepare']}/result.json"
    num_rows = sum(storage.read_json(key)["num_rows"].values()) if storage.exists(key) else None
    return Timing(
        run=record["run"],
        seconds=record["seconds"][stage],
        num_rows=num_rows,
        num_trials=record["config"]["search"]["num_samples"],
    )


def scaled_s(stage: str, timing: Timing, *, num_rows: int | None, num_trials: int, budget_s: float | None) -> float:
    """Seconds for a stage now, from a timing: in proportion to rows where both are known, and to trials left.

    >>> then = Timing(run="a", seconds=60, num_rows=1000, num_trials=20)
    >>> scaled_s("train", then, num_rows=2000, num_trials=5, budget_s=None)
    120.0
    >>> scaled_s("tune", then, num_rows=2000, num_trials=5, budget_s=None)
    30.0
    """
    rows = num_rows / timing.num_rows if num_rows is not None and timing.num_rows else 1.0
    seconds = timing.seconds * rows
    if stage != "tune":
        return seconds
    seconds *= num_trials / timing.num_trials
    return seconds if budget_s is None else min(seconds, budget_s)
