"""How long a run may take, from what earlier runs of the same name took.

A stage's time is taken from the newest run that worked it out: one that found its result had nothing to do. It is
scaled by rows, a search by trials, folds and what trials of its families took, training by the models of the ensemble.
How many trials ran at once is taken to be as then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import fmean
from typing import Any

from distml.lifecycle.stages import RESULT, Stage, folder_of, result_in
from distml.storage import Storage

ESTIMATED: tuple[Stage, ...] = ("prepare", "tune", "train", "evaluate")


@dataclass(frozen=True, kw_only=True)
class Work:
    """What there is to do in a run: rows of the table (None: unknown), trials, of which families, on how many folds."""

    num_rows: int | None
    num_trials: int
    families: tuple[str, ...] = ()
    folds: int | None = None
    ensemble_size: int = 1

    @classmethod
    def of(cls, config: Mapping[str, Any], num_rows: int | None, num_trials: int | None = None) -> Work:
        """What a config, as a run's record has it, asks for; a key that it hasn't is as by default."""
        search = config["search"]
        return cls(
            num_rows=num_rows,
            num_trials=search["num_samples"] if num_trials is None else num_trials,
            families=tuple(config.get("model", {}).get("families", ())),
            folds=config.get("split", {}).get("folds"),
            ensemble_size=search.get("ensemble_size", 1),
        )

    @property
    def fits_per_trial(self) -> int:
        """In fits on the training rows alone: k folds are k fits on (k - 1) / k of the rows."""
        return 1 if self.folds is None else self.folds - 1


@dataclass(frozen=True, kw_only=True)
class Timing:
    """What a stage of an earlier run took, and for what work."""

    run: str
    seconds: float
    work: Work


def timings(storage: Storage, records: Sequence[Mapping[str, Any]]) -> dict[str, Timing]:
    """By stage, from the records of one model, oldest first; stages that no run tells of are left out."""
    found: dict[str, Timing] = {}
    for record in reversed(records):
        if record["state"] != "finished" or record.get("resumed_at"):
            continue  # a resumed run tells the time of its last part alone
        for stage in ESTIMATED:
            if stage not in found and _worked_out(storage, record, stage):
                work = Work.of(record["config"], _num_rows(storage, record))
                found[stage] = Timing(run=record["run"], seconds=record["seconds"][stage], work=work)
    return found


def _worked_out(storage: Storage, record: Mapping[str, Any], stage: Stage) -> bool:
    """Whether a run made a stage's result, not found it. What is evaluated is taken to go with what is trained."""
    key = record["stages"].get(stage)
    if key is None:
        return False
    folder = folder_of("train" if stage == "evaluate" else stage, key)
    made_at = storage.usage(f"{folder}/{RESULT}").changed_at
    return made_at >= datetime.fromisoformat(record["started_at"]).timestamp()


def _num_rows(storage: Storage, record: Mapping[str, Any]) -> int | None:
    prepared = result_in(storage, folder_of("prepare", record["stages"]["prepare"]))
    return None if prepared is None else sum(prepared["num_rows"].values())


def trial_seconds(storage: Storage, records: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """What a trial of each family took in the newest search that had such, on one row and without folds."""
    found: dict[str, float] = {}
    for record in reversed(records):
        key = record["stages"].get("tune")
        searched = None if key is None else result_in(storage, folder_of("tune", key))
        if searched is None:
            continue
        work = Work.of(record["config"], _num_rows(storage, record))
        trials = [one for one in searched.get("records", ()) if one["state"] != "failed"]
        for family in {one["family"] for one in trials} - found.keys():
            seconds = fmean(one["seconds"] for one in trials if one["family"] == family)
            found[family] = seconds / (work.num_rows or 1) / work.fits_per_trial
    return found


def scaled_s(stage: str, then: Timing, now: Work, trials: Mapping[str, float], budget_s: float | None) -> float | None:
    """Seconds for a stage now, in proportion to the work; rows count where both are known.

    trials: `trial_seconds`, which a search of families that there were not then is told by. None where nothing tells
    of one of them; see `untold`.

    >>> then = Timing(run="a", seconds=60, work=Work(num_rows=1000, num_trials=20, families=("mlp",)))
    >>> scaled_s("train", then, Work(num_rows=2000, num_trials=5, families=("mlp",)), {}, None)
    120.0
    >>> scaled_s("tune", then, Work(num_rows=1000, num_trials=5, families=("mlp", "tabm")), {"mlp": 1, "tabm": 3}, None)
    30.0
    """
    was = then.work
    rows = now.num_rows / was.num_rows if now.num_rows is not None and was.num_rows else 1.0
    seconds = then.seconds * rows
    if stage == "train":
        return seconds * now.ensemble_size / was.ensemble_size
    if stage != "tune":
        return seconds
    mix = 1.0
    if not set(now.families) <= set(was.families):
        if untold(now, trials) or untold(was, trials):
            return None
        mix = fmean(trials[name] for name in now.families) / fmean(trials[name] for name in was.families)
    seconds *= mix * now.num_trials / was.num_trials * now.fits_per_trial / was.fits_per_trial
    return seconds if budget_s is None else min(seconds, budget_s)


def untold(work: Work, trials: Mapping[str, float]) -> list[str]:
    """The families that no earlier trial tells of."""
    return [name for name in work.families if name not in trials]
