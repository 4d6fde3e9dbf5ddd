"""The whole life of a machine-learning model on one Ray cluster, from one config file.

Names are imported when they are first used: importing distml loads neither torch nor ray.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from distml.api import load, run
    from distml.config import RunConfig, load_config, parse_config
    from distml.errors import DistmlError
    from distml.predictor import Predictor
    from distml.storage import Storage

_HOMES = {
    "DistmlError": "distml.errors",
    "Predictor": "distml.predictor",
    "RunConfig": "distml.config",
    "Storage": "distml.storage",
    "load": "distml.api",
    "load_config": "distml.config",
    "parse_config": "distml.config",
    "run": "distml.api",
}
__all__ = ["DistmlError", "Predictor", "RunConfig", "Storage", "load", "load_config", "parse_config", "run"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'distml' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
