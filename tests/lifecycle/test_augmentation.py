"""Augmentation through the lifecycle: what is refused before anything runs, what it is a part of, what is told."""

from pathlib import Path

import pyarrow.parquet
import pytest

from distml.config import RunConfig, parse_config
from distml.errors import ConfigError
from distml.lifecycle.augmentation import not_augmented
from distml.lifecycle.preflight import check_config
from distml.lifecycle.prepare import prepare_key
from distml.lifecycle.reporter import Silent
from distml.lifecycle.run import Resources, run
from distml.lifecycle.search import search_key
from pictures import picture_table


class Noting(Silent):
    """A reporter that keeps what is told of stages."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def stage(self, name: str, note: str) -> None:
        self.notes.append(note)


CONFIG = """
name: demo
data: {{source: {{uri: {uri}}}, target: y}}
model: {{families: [linear, trees]}}
search: {{num_samples: 2}}
train: {{max_epochs: 3}}
"""


def config_of(folder: Path, *overrides: str, columns=("image", "size", "y")) -> RunConfig:
    uri = folder / f"{'-'.join(columns)}.parquet"
    if not uri.exists():
        pyarrow.parquet.write_table(picture_table(150, kind="png").select(list(columns)), uri)
    return parse_config(CONFIG.format(uri=uri), [f"storage={folder}/store", *overrides])


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("augmentation")


@pytest.mark.parametrize(
    ("columns", "override", "told"),
    [
        (("size", "y"), "augment.image.flip=horizontal", "augment.image needs an image among the features"),
        (("image", "y"), "augment.tabular.noise=0.1", "augment.tabular needs a number or a category"),
        (("image", "y"), "augment.image.shift=8", "augment.image.shift leaves something of an image"),
        (("image", "y"), "augment.image.cutout=9", "augment.image.cutout leaves something of an image"),
    ],
)
def test_what_the_table_cannot_have_is_refused(folder, columns, override, told):
    with pytest.raises(ConfigError, match=told) as caught:
        check_config(config_of(folder, override, columns=columns))
    assert caught.value.remedy
    assert caught.value.where.startswith("augment.")


def test_what_goes_with_the_table_is_taken(folder):
    check_config(config_of(folder, "augment.image.shift=7", "augment.tabular.noise=0.1"))


def test_it_is_a_part_of_the_searchs_key_and_not_of_preparations(folder):
    plain, varied = config_of(folder), config_of(folder, "augment.tabular.noise=0.1")
    assert prepare_key(plain) == prepare_key(varied)
    assert search_key(plain, "p") != search_key(varied, "p")


def test_trees_are_told_of_only_where_it_matters(folder):
    varied = config_of(folder, "augment.tabular.noise=0.1")
    assert not_augmented(varied) == ["trees: fitted on the rows as they are, as augmentation is for networks"]
    assert not_augmented(config_of(folder)) == []
    assert not_augmented(config_of(folder, "augment.tabular.noise=0.1", "model.families=[linear]")) == []


def test_a_run_says_once_that_trees_take_no_part(folder):
    reporter = Noting()
    result = run(config_of(folder, "augment.image.shift=1", "augment.tabular.noise=0.1"), Resources(reporter=reporter))
    assert result.evaluated is not None
    assert len([text for text in reporter.notes if "trees" in text and "augmentation" in text]) == 1
