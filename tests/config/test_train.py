"""The section `train`."""

import pytest
from pydantic import ValidationError

from distml.config.train import AveragingConfig, TrainConfig


def made(**values) -> TrainConfig:
    return TrainConfig.model_validate(values)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("none", None),
        (None, None),
        ({"ema": 0.99}, AveragingConfig(ema=0.99)),
        ({"swa": 5}, AveragingConfig(swa=5)),
    ],
)
def test_averaging_is_none_or_one_of_two(written, read):
    config = made(averaging=written)
    assert config.averaging == read
    assert made(**config.model_dump(mode="json")) == config


@pytest.mark.parametrize(
    ("values", "rule"),
    [
        ({"averaging": {}}, "averaging is none, {ema: decay} or {swa: first epoch}"),
        ({"averaging": {"ema": 0.9, "swa": 3}}, "averaging is none"),
        ({"averaging": {"ema": 1.0}}, "less than 1"),
        ({"averaging": {"swa": 11}, "max_epochs": 10}, "from epoch 11 never begins in max_epochs 10"),
        ({"warmup_epochs": 10, "max_epochs": 10}, "leave nothing of max_epochs 10"),
        ({"warmup_epochs": 1, "schedule": "one_cycle"}, "one_cycle has a rise of its own"),
        ({"precision": "fp16", "device": "cpu"}, "precision fp16 is for GPUs"),
        ({"batch_size": 0}, "greater than or equal to 1"),
        ({"accumulate": 0}, "greater than or equal to 1"),
        ({"clip_norm": 0}, "greater than 0"),
        ({"label_smoothing": 1}, "less than 1"),
    ],
)
def test_what_does_not_go_together_is_refused(values, rule):
    with pytest.raises(ValidationError, match=rule):
        made(**values)


def test_the_keys_that_trees_do_not_read():
    assert made().only_networks_heed == ()
    config = made(
        max_epochs=5, patience=2, class_weights="balanced", accumulate=2, clip_norm=None, averaging={"swa": 2}
    )
    assert config.only_networks_heed == ("accumulate", "clip_norm", "averaging")
