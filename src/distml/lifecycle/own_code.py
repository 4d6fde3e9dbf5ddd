"""What a config names of the user's own to make and fit models with: whether it can be used, and what it doesn't reach.

Functions that make columns are `distml.derive`'s.
"""

from __future__ import annotations

from distml.code import source_hash
from distml.config import RunConfig
from distml.errors import ConfigError
from distml.models.own import KEYS, code_of, place_of


def check_own_code(config: RunConfig) -> None:
    """Imports it. Raises `CodeError` where that isn't allowed or it isn't there, and `ConfigError` for what a config
    asks of it besides that it can't do."""
    code_of(config.model)
    train, loss = config.train, "a loss of your own is called with one class of each row"
    own = "a loop of your own goes its own way"
    refused = [
        ("loss", config.augment.mixup, loss, "augment's mixup"),
        ("loss", train.label_smoothing, loss, "train.label_smoothing"),
        ("loss", train.loss != "auto" and train.loss, "a network is fitted with one loss", "train.loss"),
        ("train_fn", config.split.folds, f"{own}, and folds go on side by side", "split.folds"),
        ("train_fn", config.search.workers_per_trial > 1 and config.search.workers_per_trial,
         f"{own}, in one process", "search.workers_per_trial"),
    ]  # fmt: skip
    for key, value, rule, name in refused:
        if getattr(config.model, key) is not None and value:
            raise ConfigError(
                rule, received=f"{name} {value}", where=place_of(key), remedy=f"leave {name} out, or model.{key}"
            )


def source_hashes(config: RunConfig) -> list[str]:
    """What the sources of its modules are at present, without importing them."""
    named = [getattr(config.model, key) for key in KEYS]
    return [source_hash(dotted.partition(":")[0]) for dotted in named if dotted is not None]


def not_reached(config: RunConfig) -> list[str]:
    """Lines that say which fits pass over what the config asks for."""
    lines = []
    if config.model.loss is not None and "trees" in config.model.families:
        lines.append("trees: fitted with LightGBM's own loss, as model.loss is for networks")
    keys = [f"train.{name}" for name in config.train.only_networks_heed if name != "batch_size"]
    if config.model.train_fn is not None and keys:
        lines.append(f"own: {', '.join(keys)} {'is' if len(keys) == 1 else 'are'} for model.train_fn to heed")
    return lines
