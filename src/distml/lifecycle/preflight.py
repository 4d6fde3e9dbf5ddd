"""What a run refuses of its config: before anything is read, started or written, and once its table is known."""

from __future__ import annotations

from distml.config import PostprocessConfig, RunConfig, Task
from distml.errors import ConfigError
from distml.lifecycle import warm
from distml.lifecycle.augmentation import check_augmentation
from distml.lifecycle.beginning import source_of, space_of
from distml.lifecycle.evaluate import slice_columns
from distml.lifecycle.own_code import check_own_code
from distml.lifecycle.prepare import check_source
from distml.lifecycle.prepared import Prepared
from distml.lifecycle.streaming import check_streaming
from distml.lifecycle.tracked import check_tracker
from distml.metrics import METRICS, metric_for
from distml.models import FAMILIES
from distml.schema import Schema
from distml.secrets import with_secrets
from distml.storage import Storage
from distml.training.suits import check_task


def preflight(config: RunConfig) -> Storage:
    """What can be refused in a second, before a cluster starts or anything is written.

    Raises `UsageError` as `check_config` does, for storage that can't be written and a tracker that doesn't answer.
    """
    check_config(config)
    if config.tracking.uri is not None:
        with_secrets(config.tracking.uri)
    storage = Storage(config.storage)
    storage.check_writable()
    storage.delete_if_empty()  # the run may be refused yet
    check_tracker(config, storage)
    return storage


def check_config(config: RunConfig) -> None:
    """Raises `UsageError` for a table that can't be read, a metric or a loss that no such target has, a wrong search
    space."""
    schema = check_source(config).schema
    _check_families(config, schema)
    check_augmentation(config, schema)
    check_own_code(config)
    check_streaming(config)
    warm.read(config)
    tasks = _possible_tasks(config, schema)
    _check_metrics(config, *tasks)
    check_task(config.train, tasks[0])  # of several all have classes
    check_search(config)


def check_choices(config: RunConfig, prepared: Prepared) -> None:
    """Raises `UsageError` for what the config asks of the table now known: metrics, gates, decisions, slices."""
    _check_metrics(config, prepared.target.task)
    check_task(config.train, prepared.target.task)
    _check_decisions(config.postprocess, prepared.target.task)
    slice_columns(config, prepared)


def check_search(config: RunConfig) -> None:
    """Raises `ConfigError` for a space, a point, a share or an objective that a search would end at."""
    any_metric = METRICS["log_loss"]  # what is refused depends on none
    source_of(config, space_of(config), any_metric)
    if config.search.costs and config.split.folds:
        raise ConfigError(
            "what a model costs is measured of the one model that a trial fits",
            received=f"{', '.join(config.search.costs)} with split.folds: {config.split.folds}, which fits as many",
            where="search.objectives",
            remedy="leave split.folds out, or search for the score alone",
        )


def _check_families(config: RunConfig, schema: Schema) -> None:
    """Raises `ConfigError` for a family of images where no feature is one."""
    has_images = any(column.kind == "image" for column in schema.features)
    for name in config.model.families:
        FAMILIES[name].check_columns(has_images=has_images)


def _possible_tasks(config: RunConfig, schema: Schema) -> tuple[Task, ...]:
    """What the target can be, as far as its first rows tell."""
    if config.data.task != "auto":
        return (config.data.task,)
    return ("regression",) if schema.target.kind == "numeric" else ("multiclass", "binary")


def _check_metrics(config: RunConfig, *tasks: Task) -> None:
    """Raises `ConfigError` for a metric or gate that none of the possible tasks has."""
    named = {"search.metric": config.search.metric, **{f"gates.{name}": name for name in config.gates.metrics}}
    for where, name in named.items():
        if name not in METRICS or not set(tasks) & set(METRICS[name].tasks):
            metric_for(name, tasks[-1], where)


def _check_decisions(config: PostprocessConfig, task: Task) -> None:
    """Raises `ConfigError` for a calibration or a threshold that is for two classes, of a target that has others."""
    asked = {
        "postprocess.calibration": config.calibration if config.calibration in ("platt", "isotonic") else None,
        "postprocess.threshold": None if config.threshold == 0.5 else config.threshold,
    }
    for where, value in asked.items():
        if value is not None and task != "binary":
            raise ConfigError(
                f"{where} as written is for targets of two classes", received=f"{value}, for a {task} target",
                where=where, remedy="leave it out",
            )  # fmt: skip
