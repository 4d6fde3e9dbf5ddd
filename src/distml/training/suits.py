"""Whether what `train` asks for goes with a target."""

from __future__ import annotations

from distml.config.base import Task
from distml.config.train import TrainConfig
from distml.errors import ConfigError

_OF_CLASSES = ("class_weights", "label_smoothing")
_OF_NUMBERS = ("loss",)


def check_task(config: TrainConfig, task: Task) -> None:
    """Raises `ConfigError` for a key that has no meaning for the task."""
    keys, kind = (_OF_CLASSES, "classes") if task == "regression" else (_OF_NUMBERS, "numbers")
    for name in keys:
        value = getattr(config, name)
        if value != type(config).model_fields[name].default:
            raise ConfigError(
                f"train.{name}: {value} is for targets that are {kind}",
                received=f"a {task} target",
                where=f"train.{name}",
                remedy="leave it out",
            )
