"""What two or more runs have in common and where they differ, from their records alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from distml.config import Task
from distml.lifecycle.stages import folder_of, result_in
from distml.metrics import METRICS
from distml.storage import Storage

Record = Mapping[str, Any]


def made_before(record: Record, records: Sequence[Record]) -> dict[str, str]:
    """Stage -> the earliest run that made what this run took from it, for the stages that it took up.

    records: runs in the order of their start. A stage's hash says what it was made from, so runs that name the same
    one share the result.
    """
    earlier = [known for known in records if known["started_at"] < record["started_at"]]
    found: dict[str, str] = {}
    for stage in ("prepare", "tune", "train"):  # an evaluation is named by what it evaluates, a gate always judges
        key = record["stages"].get(stage)
        makers = [known["run"] for known in earlier if key is not None and known["stages"].get(stage) == key]
        found |= {stage: makers[0]} if makers else {}
    return found


def prepared_of(storage: Storage, record: Record) -> Mapping[str, Any] | None:
    """What a run's preparation came to, as JSON; None where it wasn't reached or its folder was deleted."""
    key = record["stages"].get("prepare")
    return None if key is None else result_in(storage, folder_of("prepare", key))


def compare(records: Sequence[Record], prepared: Sequence[Mapping[str, Any] | None]) -> dict[str, Any]:
    """Runs side by side; every list has one entry per run, differences are from the first.

    prepared: `prepared_of` each. `metrics` has, by split and name, its direction, the values, the differences, and
    whether each is better than the first (None: the same, or of unlike tasks); `config` the values of the keys in which
    the runs differ.
    """
    tasks = [task_of(record, about) for record, about in zip(records, prepared, strict=True)]
    results = [record.get("result") or {} for record in records]
    keys = [record["stages"].get("prepare") for record in records]
    return {
        "runs": [record["run"] for record in records],
        "tasks": tasks,
        "metrics": {split: _metrics(results, split, are_alike(tasks)) for split in ("test", "validation")},
        "config": config_differences([record["config"] for record in records]),
        "data": {
            "prepared": keys,
            "are_same": None not in keys and len(set(keys)) == 1,
            "num_rows": [about["num_rows"] if about else None for about in prepared],
        },
        "best": [result.get("best") for result in results],
        "versions": [result.get("version") for result in results],
        "verdicts": [result.get("verdict") for result in results],
        "remarks": _remarks(tasks, keys),
    }


def config_differences(configs: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """The dotted keys whose values aren't the same everywhere; None where a config lacks one.

    >>> config_differences([{"seed": 0, "train": {"patience": 8}}, {"seed": 0, "train": {"patience": 16}}])
    {'train.patience': [8, 16]}
    """
    flat = [_flat(config) for config in configs]
    names = sorted({name for values in flat for name in values})
    found = {name: [values.get(name) for values in flat] for name in names}
    return {name: values for name, values in found.items() if any(value != values[0] for value in values)}


def _flat(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, item in value.items():
        flat |= _flat(item, f"{prefix}{key}.") if isinstance(item, Mapping) and item else {f"{prefix}{key}": item}
    return flat


def task_of(record: Record, prepared: Mapping[str, Any] | None) -> Task | None:
    """The task of a run's target; None where the run didn't get far enough to say."""
    if prepared is not None:
        target = prepared["target"]
        if target["kind"] != "classes":
            return "regression"
        return "binary" if len(target["labels"]) == 2 else "multiclass"
    names = set(((record.get("result") or {}).get("metrics") or {}).get("test") or ())
    for task in get_args(Task):
        if names == {metric.name for metric in METRICS.values() if task in metric.tasks}:
            return task
    return None


def are_alike(tasks: Sequence[str | None]) -> bool:
    """Whether runs are of one task, as far as they got to say.

    >>> are_alike(["binary", None, "binary"]), are_alike(["binary", "regression"])
    (True, False)
    """
    return len({task for task in tasks if task is not None}) <= 1


def _metrics(results: Sequence[Mapping[str, Any]], split: str, do_compare: bool) -> dict[str, dict[str, Any]]:
    scores = [(result.get("metrics") or {}).get(split) or {} for result in results]
    names = [name for name in METRICS if any(name in score for score in scores)]
    return {name: _metric(name, [score.get(name) for score in scores], do_compare) for name in names}


def _metric(name: str, values: list[float | None], do_compare: bool) -> dict[str, Any]:
    metric, first = METRICS[name], values[0] if do_compare else None
    gaps = [None if value is None or first is None else value - first for value in values]
    return {
        "direction": metric.direction,
        "values": values,
        "differences": gaps,
        "are_better": [None if not gap else metric.sign * gap > 0 for gap in gaps],
    }


def _remarks(tasks: Sequence[str | None], keys: Sequence[str | None]) -> list[str]:
    """What forbids to read the metrics as better and worse."""
    if not are_alike(tasks):
        return [f"the runs are of unlike tasks ({', '.join(str(task) for task in tasks)}): their metrics don't compare"]
    if len(set(keys)) > 1:
        return ["the runs were not prepared from the same table in the same way: their test rows may differ"]
    return []
