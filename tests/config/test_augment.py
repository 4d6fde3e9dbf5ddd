import pytest
from pydantic import ValidationError

from distml.config import AugmentConfig, parse_config
from distml.errors import ConfigError

CONFIG = "name: demo\ndata: {source: {uri: a.parquet}, target: y}\naugment: %s\n"


def parsed(section: str) -> AugmentConfig:
    return parse_config(CONFIG % section).augment


def test_off_by_default():
    assert not AugmentConfig().is_on
    assert not parsed("{}").is_on
    assert not parsed("{image: {flip: none}, tabular: {}}").is_on


@pytest.mark.parametrize(
    "section",
    ["{image: {shift: 2}}", "{image: {flip: both}}", "{image: {rotate_degrees: 10}}", "{image: {cutout: 8}}",
     "{image: {mixup: 0.2}}", "{tabular: {noise: 0.05}}", "{tabular: {feature_dropout: 0.1}}",
     "{tabular: {mixup: 0.2}}"],
)  # fmt: skip
def test_each_key_turns_it_on(section):
    assert parsed(section).is_on


@pytest.mark.parametrize(
    ("section", "mixup"),
    [("{image: {mixup: 0.2}}", 0.2), ("{tabular: {mixup: 0.3}}", 0.3), ("{image: {mixup: 1}, tabular: {mixup: 1}}", 1)],
)
def test_rows_have_one_mixup(section, mixup):
    assert parsed(section).mixup == mixup


@pytest.mark.parametrize(
    ("section", "told"),
    [
        ("{image: {shft: 2}}", "did you mean 'shift'"),
        ("{tabular: {flip: horizontal}}", "known keys: noise, feature_dropout, mixup"),
        ("{images: {}}", "did you mean 'image'"),
        ("{image: {flip: diagonal}}", "'horizontal'"),
        ("{image: {shift: -1}}", "greater than or equal to 0"),
        ("{image: {shift: 1.5}}", "integer"),
        ("{image: {rotate_degrees: 181}}", "180"),
        ("{image: {mixup: .inf}}", "finite"),
        ("{tabular: {noise: .nan}}", "finite"),
        ("{tabular: {feature_dropout: 1}}", "less than 1"),
        ("{image: {mixup: 0.2}, tabular: {mixup: 0.3}}", "a row is mixed as a whole"),
    ],
)
def test_what_is_refused(section, told):
    with pytest.raises(ConfigError) as caught:
        parsed(section)
    assert told in str(caught.value)


def test_sections_are_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        AugmentConfig().image = None
