from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from distml.config import FeaturesConfig


def features(**sections) -> FeaturesConfig:
    return FeaturesConfig.model_validate(sections)


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"numeric": {"impute": "constant"}}, "needs `fill_value`"),
        ({"columns": {"a": {"impute": "constant"}}}, "needs `fill_value`"),
        ({"numeric": {"scale": "sqrt"}}, "standard"),
        ({"numeric": {"bins": 1}}, "greater than or equal to 2"),
        ({"numeric": {"clip": {}}}, "needs `quantiles`, `min` or `max`"),
        ({"numeric": {"clip": {"quantiles": [0.9, 0.1]}}}, "quantiles rise"),
        ({"numeric": {"clip": {"quantiles": [0.1, 0.9], "min": 0}}}, "not both"),
        ({"numeric": {"clip": {"min": 1, "max": 1}}}, "min 1.0 is not below max 1.0"),
        ({"categorical": {"encode": "ordinal"}}, "embed"),
        ({"categorical": {"folds": 1}}, "greater than or equal to 2"),
        ({"categorical": {"smoothing": -1}}, "greater than or equal to 0"),
        ({"datetime": {"parts": []}}, "at least one part"),
        ({"datetime": {"parts": ["hour", "hour"]}}, "each once"),
        ({"datetime": {"parts": ["minute"]}}, "hour"),
        ({"text": {"ngrams": [2, 1]}}, "ngrams rise"),
        ({"text": {"tokens": "lines"}}, "words"),
        ({"columns": {"a": {"ngrams": [0, 9]}}}, "ngrams rise"),
        ({"target": "box-cox"}, "standard"),
        ({"columns": {"a": {"scales": "none"}}}, "Extra inputs"),
    ],
)
def test_refused(sections, message):
    with pytest.raises(ValidationError, match=message):
        features(**sections)


def test_an_exception_keeps_what_it_does_not_say():
    config = features(
        numeric={"impute": "mean", "scale": "robust"},
        columns={"a": {"scale": "none", "indicator": False}, "b": {"encode": "target", "folds": 3}},
    )
    assert (config.numeric_of("a").impute, config.numeric_of("a").scale) == ("mean", "none")
    assert config.numeric_of("a").indicator is False
    assert config.numeric_of("c") is config.numeric
    assert (config.categorical_of("b").encode, config.categorical_of("b").folds) == ("target", 3)
    assert config.set_for("a") == {"scale": "none", "indicator": False}
    assert config.set_for("c") == {}


def test_what_is_said_of_numbers_in_their_own_unit_is_not_said_of_dates():
    config = features(
        numeric={"impute": "constant", "fill_value": -1, "clip": {"max": 100}, "bins": 8},
        columns={"b": {"clip": {"min": 0}, "impute": "mean"}},
    )
    found = config.epoch_of("a")
    assert (found.impute, found.clip, found.bins) == ("median", None, 8)
    assert (config.epoch_of("b").impute, config.epoch_of("b").clip.min) == ("mean", 0)
    quantiles = features(numeric={"clip": {"quantiles": [0.1, 0.9]}, "impute": "mean"})
    assert quantiles.epoch_of("a") == quantiles.numeric


def test_a_constant_of_one_column_may_be_filled_by_the_general_value():
    config = features(numeric={"fill_value": -1}, columns={"a": {"impute": "constant"}})
    assert config.numeric_of("a").fill_value == -1


def test_the_documents_example_is_valid():
    page = (Path(__file__).parents[2] / "docs" / "features.md").read_text("utf-8")
    found = features(**yaml.safe_load(page.split("```yaml\n")[1].split("```")[0])["features"])
    assert found.numeric_of("income").scale == "log1p"
    assert found.datetime_of("opened").parts == ("epoch", "weekday", "hour")
