"""From a name to a family, and from a stored folder to a fitted model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from distml.batch import FeatureBatch
from distml.errors import PackageError
from distml.models import cnn, ft_transformer, linear, mlp, own, resnet, tabm, trees
from distml.models.base import Family, Model, ModelSpec
from distml.threads import settle_torch

_MODULES = (linear, mlp, resnet, ft_transformer, tabm, cnn, trees, own)
FAMILIES: Mapping[str, Family] = {module.FAMILY.name: module.FAMILY for module in _MODULES}


def learned(spec: ModelSpec, train: FeatureBatch) -> ModelSpec:
    """The spec with what its family learns of the training rows before a network is built; as it is where it has it."""
    learn = FAMILIES[spec.family].learn
    return spec if learn is None or spec.learned else replace(spec, learned=learn(spec, train))


def build_network(spec: ModelSpec) -> Any:
    """A fresh torch module of a spec that has what is learned, its weights not yet trained."""
    family = FAMILIES[spec.family]
    assert family.build is not None, f"{spec.family} is not a network"
    family.check_columns(has_images=bool(spec.input.tensors))
    return family.build(spec)


def load_model(folder: Path) -> Model:
    """The fitted model in a package member's folder. Raises `PackageError` for a family that isn't known here."""
    spec = ModelSpec.from_dict(json.loads((folder / "model.json").read_text("utf-8")))
    if spec.family not in FAMILIES:
        raise PackageError(
            "a package's model family is one that this distml knows",
            received=spec.family,
            where=str(folder),
            remedy=f"families: {', '.join(FAMILIES)}; load it with the distml version that its manifest names",
        )
    if FAMILIES[spec.family].kind == "trees":
        return trees.TreeModel.load(folder, spec)
    from distml.models.network import NetworkModel

    settle_torch()
    return NetworkModel.load(folder, spec, build_network(spec))
