"""The section `model`: a user's own code and weights to begin with, where they go together."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from distml.config import ModelConfig, parse_config, with_absolute_paths
from distml.errors import ConfigError

CONFIG = "name: a\ndata: {source: {uri: t.csv}, target: y}\n"


def test_a_factory_without_families_is_the_only_one():
    assert ModelConfig(factory="shop.nets:build").families == ("own",)
    assert ModelConfig(factory="shop.nets:build", families=["mlp", "own"]).families == ("mlp", "own")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"families": ["own"]}, "needs model.factory"),
        ({"families": ["mlp"], "factory": "shop.nets:build"}, "name it in model.families"),
        ({"train_fn": "shop.train:loop"}, "name its model.factory"),
        ({"families": "trees", "loss": "shop.losses:focal"}, "names none"),
        ({"families": "trees", "warm_start": {"package": "a/1"}}, "names none"),
        ({"factory": "a.b:c", "train_fn": "a.b:d", "loss": "a.b:e"}, "has its own loss"),
        ({"factory": "shop.nets"}, "pattern"),
        ({"warm_start": {"package": ""}}, "at least 1 character"),
    ],
)
def test_what_does_not_go_together_is_refused(values, message):
    with pytest.raises(ValidationError, match=message):
        ModelConfig(**values)


@pytest.mark.parametrize(("layers", "found"), [("all", "all"), ("body", ("body",)), (["a", "b"], ("a", "b"))])
def test_layers_are_all_one_or_many(layers, found):
    assert ModelConfig(warm_start={"package": "a/1", "layers": layers}).warm_start.layers == found


def test_an_unknown_key_of_a_warm_start_is_refused_with_the_near_one():
    with pytest.raises(ConfigError, match="did you mean 'frozen'"):
        parse_config(CONFIG + "model: {warm_start: {package: a/1, froze: [x]}}")


def test_a_packages_folder_is_placed_and_a_version_is_not():
    def placed(package: str) -> str:
        warm = with_absolute_paths(parse_config(CONFIG, [f"model.warm_start.package={package}"])).model.warm_start
        assert warm is not None
        return warm.package

    assert placed("./old/package") == str(Path("old/package").absolute())
    assert placed("adult@champion") == "adult@champion"
    assert placed("s3://bucket/x") == "s3://bucket/x"
