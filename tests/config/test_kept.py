"""Configs that an earlier distml kept: what a later one no longer allows."""

import pytest

from distml.config import RunConfig
from distml.config.kept import read_kept
from distml.errors import ConfigError


@pytest.fixture
def kept():
    config = RunConfig.model_validate({"name": "shop", "data": {"source": {"uri": "shop.csv"}, "target": "bought"}})
    return config.to_dict()


def test_a_limit_that_is_no_longer_allowed_counts_as_its_default(kept, caplog):
    kept["serve"] |= {"max_batch_rows": 512, "max_rows": 77, "gone": 1}
    kept["serve"]["autoscaling"]["upscale_delay_s"] = -1
    serve = read_kept(kept, "/store", "shop-1").serve
    assert (serve.max_batch_rows, serve.max_rows, serve.autoscaling.upscale_delay_s) == (256, 77, 2)
    assert kept["serve"]["max_batch_rows"] == 512, "the record is as it was"
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 3
    assert "shop-1 kept serve.max_batch_rows, which is no longer allowed: it counts as its default" in told


@pytest.mark.parametrize(
    ("section", "key", "value"), [("serve", "auth", {"tokens": "a b"}), ("train", "max_epochs", -1)]
)
def test_what_says_who_may_ask_or_what_a_model_is_is_never_taken_for_a_default(kept, section, key, value):
    kept[section][key] = value
    with pytest.raises(ConfigError, match=rf"received {section}\.{key}.*in shop-1. Remedy: train again"):
        read_kept(kept, "/store", "shop-1")
