"""What a search says once it has ended: which trials no other beats, and what the scores hung on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from distml.config.search import Cost
from distml.metrics import Metric
from distml.tune.importance import importance_of
from distml.tune.objective import TrialRecord
from distml.tune.pareto import front_of
from distml.tune.space import SearchSpace


def insight(
    records: Sequence[TrialRecord], space: SearchSpace, metric: Metric, costs: Sequence[Cost]
) -> dict[str, Any]:
    """As JSON: `importance`, see `Importance`; `pareto`, the numbers of the trials on the front, the best score first,
    empty with one objective."""
    return {
        "importance": importance_of(records, space, metric).to_dict(),
        "pareto": front_of(records, metric, costs),
    }


def how_to_open(name: str, file: str) -> dict[str, str]:
    """An Optuna study's name and file, and what opens it: a command, and an expression in Python. Optuna reads files of
    a disk alone: of one in remote storage they open its copy in the folder that one is in.

    >>> how_to_open("adult", "study.log")["dashboard"], how_to_open("adult", "s3://bucket/k/study.log")["dashboard"]
    ('optuna-dashboard study.log', 'optuna-dashboard study.log')
    """
    here = file.rpartition("/")[2] if "://" in file else file
    storage = f'optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend("{here}"))'
    python = f'optuna.load_study(study_name="{name}", storage={storage})'
    return {"name": name, "file": file, "dashboard": f"optuna-dashboard {here}", "python": python}
