"""`model.warm_start`: the package whose weights networks begin with, found, verified and read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from distml.config import RunConfig
from distml.config.model import WarmStartConfig
from distml.errors import ConfigError, NotFoundError, did_you_mean
from distml.models import FAMILIES
from distml.models.base import ModelSpec
from distml.package import MANIFEST, package_id, verify
from distml.registry import StoreRegistry, resolve
from distml.storage import Storage
from distml.training.warm import WarmStart, begins

WHERE = "model.warm_start"


@dataclass(frozen=True, kw_only=True)
class Source:
    """What a warm start was read from. members: which of the package's each family begins with, from 0."""

    package: str
    package_id: str
    members: dict[str, int]
    start: WarmStart


def with_named_version(config: RunConfig) -> RunConfig:
    """The config whose warm start names a version by its number: a champion may move before a run is resumed.

    Raises `NotFoundError` where there is no such version.
    """
    warm = config.model.warm_start
    if warm is None or warm.is_folder:
        return config
    label = resolve(StoreRegistry(Storage(config.storage)), warm.package).label
    model = config.model.model_copy(update={"warm_start": warm.model_copy(update={"package": label})})
    return config.model_copy(update={"model": model})


def content(config: RunConfig) -> str | None:
    """What a warm start's package is known by: a version's label, or the checksum of a folder's manifest."""
    warm = config.model.warm_start
    if warm is None:
        return None
    if not warm.is_folder:
        return warm.package
    try:
        return str(Storage(warm.package).read_json(MANIFEST)["checksum"])
    except NotFoundError:
        return None


def read(config: RunConfig) -> Source | None:
    """The weights that the families searched begin with; None where the config names no package.

    Of several members of a family the one that weighs most counts. Raises `NotFoundError` and `PackageError` for a
    package that isn't there or isn't whole, `ConfigError` where none of its networks is of a family searched, and for
    layers that it doesn't have.
    """
    warm = config.model.warm_start
    if warm is None:
        return None
    with _folder(config, warm) as folder:
        manifest = verify(folder)
        members = _members(folder, manifest["num_members"], config.model.families)
        if not members:
            raise ConfigError(
                "a package has a network of a family that is searched", where=f"{WHERE}.package",
                received=f"{warm.package}, of {', '.join(_families(folder, manifest['num_members']))}",
                remedy="name its family in model.families, or another package",
            )  # fmt: skip
        weights = {family: _weights(folder, number) for family, number in members.items()}
        identity = package_id(manifest)
    chosen = {family: _chosen(tensors, warm) for family, tensors in weights.items()}
    start = WarmStart(weights=chosen, frozen=warm.frozen)
    return Source(package=warm.package, package_id=identity, members=members, start=start)


def not_begun(config: RunConfig) -> list[str]:
    """Lines that name the families searched which the package has no network of. Errors as `read`."""
    source = read(config)
    if source is None:
        return []
    others = [name for name in config.model.families if name not in source.members]
    return [f"{', '.join(others)}: not begun with weights of {source.package}, which has no such network"] * bool(
        others
    )


def lineage(config: RunConfig) -> dict[str, Any] | None:
    """What a package's lineage says of where its networks began."""
    source = read(config)
    if source is None:
        return None
    return {"package": source.package, "package_id": source.package_id, "members": source.members}


@contextmanager
def _folder(config: RunConfig, warm: WarmStartConfig) -> Iterator[Path]:
    if warm.is_folder:
        place, key = Storage(warm.package), ""
    else:
        place = Storage(config.storage)
        key = resolve(StoreRegistry(place), warm.package).package
    with place.local_folder(key) as folder:
        yield folder


def _members(folder: Path, num_members: int, families: tuple[str, ...]) -> dict[str, int]:
    """Family -> the number of its member; networks only."""
    shares = json.loads((folder / "postprocess.json").read_text("utf-8"))["weights"]
    found: dict[str, int] = {}
    for number in sorted(range(num_members), key=lambda i: -shares[i]):
        family = _spec(folder, number).family
        if family in families and FAMILIES[family].kind == "network":
            found.setdefault(family, number)
    return found


def _families(folder: Path, num_members: int) -> list[str]:
    return [_spec(folder, number).family for number in range(num_members)]


def _spec(folder: Path, number: int) -> ModelSpec:
    return ModelSpec.from_dict(json.loads((folder / "members" / str(number) / "model.json").read_text("utf-8")))


def _weights(folder: Path, number: int) -> dict[str, np.ndarray]:
    from safetensors.numpy import load_file

    from distml.models.network import WEIGHTS

    return load_file(folder / "members" / str(number) / WEIGHTS)


def _chosen(tensors: dict[str, np.ndarray], warm: WarmStartConfig) -> dict[str, np.ndarray]:
    """The tensors of the layers that the config names."""
    if warm.layers == "all":
        return tensors
    for prefix in warm.layers:
        if not any(begins(name, [prefix]) for name in tensors):
            near = did_you_mean(prefix, sorted({name.rpartition(".")[0] for name in tensors}))
            raise ConfigError(
                "layers are those of the package", received=prefix, where=f"{WHERE}.layers",
                remedy=f"did you mean {near!r}?" if near else f"tensors: {', '.join(tensors)}",
            )  # fmt: skip
    return {name: tensor for name, tensor in tensors.items() if begins(name, warm.layers)}
