"""A small search: its objective, its data, and a listener that remembers."""

from __future__ import annotations

import os
import signal
from collections import defaultdict
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from distml.config.train import TrainConfig
from distml.metrics import METRICS, Metric
from distml.training import EpochResult, FitResult, FitSettings
from distml.tune import Candidate, Objective, SearchSpace, TrialRecord
from distml.tune.log import LoggedTrial
from distml.tune.objective import Data
from distml.tune.study import Study
from problems import input_of, problem

AUC = METRICS["roc_auc"]
FAMILIES = ("linear", "mlp", "trees")
SMALL: dict[str, dict[str, Any]] = {
    "mlp": {"width": {"choice": [8, 16]}, "num_blocks": {"int": [1, 2]}, "embedding_width": 4},
    "trees": {"num_leaves": {"int": [2, 8]}},
}


def study_of(overrides: dict[str, dict[str, Any]] = SMALL, **changes: Any) -> Study:
    settings = {
        "num_samples": 10,
        "sampler": "tpe",
        "seed": 0,
        "lag": 4,
        "metric": AUC,
        "families": FAMILIES,
        **changes,
    }
    space = SearchSpace.of(settings.pop("families"), overrides)
    return Study(space, settings.pop("metric"), **settings)


def objective_of(metric: Metric = AUC, **settings: Any) -> Objective:
    task = metric.tasks[0]
    return Objective(
        task=task,
        metric=metric,
        inputs={recipe: input_of(task) for recipe in ("dense", "trees")},
        settings=FitSettings(config=TrainConfig(**{"max_epochs": 14, "patience": 5, **settings})),
    )


@dataclass(frozen=True, kw_only=True)
class Dying(Objective):
    """Kills its own process at the third epoch of trial 1, so many times. folder: an empty one, where it counts."""

    folder: str
    num_deaths: int

    def run(self, candidate: Candidate, data: Data, on_epoch: Any, *checkpoints: Any) -> FitResult:
        def hear(result: EpochResult) -> bool | None:
            num_before = len(os.listdir(self.folder))
            if candidate.number == 1 and result.epoch == 3 and num_before < self.num_deaths:
                Path(self.folder, str(num_before)).touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return on_epoch(result)

        return super().run(candidate, data, hear, *checkpoints)

    @classmethod
    def of(cls, objective: Objective, folder: Path, num_deaths: int) -> Dying:
        folder.mkdir()
        known = {field.name: getattr(objective, field.name) for field in fields(Objective)}
        return cls(**known, folder=str(folder), num_deaths=num_deaths)


def data_of(task: str = "binary") -> Data:
    rows = problem(task, n=120, noise=1.5), problem(task, n=80, noise=1.5, seed=1)
    return {"dense": rows, "trees": rows}


class Heard:
    """Implements `SearchListener`: remembers all that it is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.recalled: list[LoggedTrial] = []
        self.started: list[Candidate] = []
        self.epochs: dict[int, list[EpochResult]] = defaultdict(list)
        self.ended: list[TrialRecord] = []

    def on_note(self, note: str) -> None:
        self.notes.append(note)

    def on_recall(self, trial: LoggedTrial) -> None:
        self.recalled.append(trial)

    def on_start(self, candidate: Candidate) -> None:
        self.started.append(candidate)

    def on_epochs(self, number: int, epochs: list[EpochResult]) -> None:
        self.epochs[number] += epochs

    def on_end(self, record: TrialRecord) -> None:
        self.ended.append(record)

    def curves(self) -> dict[int, list[tuple[int, float | None]]]:
        return {number: [(epoch.epoch, epoch.score) for epoch in epochs] for number, epochs in self.epochs.items()}


def repeatable(records: list[TrialRecord]) -> list[dict[str, Any]]:
    """Records without the time that they took."""
    return [{key: value for key, value in record.to_dict().items() if key != "seconds"} for record in records]
