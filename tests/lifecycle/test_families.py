import pyarrow.parquet
import pytest

from distml.config import parse_config
from distml.errors import ConfigError
from distml.lifecycle.preflight import check_config
from pictures import picture_table


def config_of(folder, columns, families):
    path = folder / "table.parquet"
    pyarrow.parquet.write_table(picture_table(40, kind="png").select(columns), path)
    data = f"{{source: {{uri: {path}}}, target: y}}"
    return parse_config(f"name: demo\nstorage: {folder}/store\ndata: {data}\nmodel: {{families: {families}}}\n")


def test_a_family_of_images_is_refused_without_them(tmp_path):
    with pytest.raises(ConfigError, match="cnn is fitted on images") as caught:
        check_config(config_of(tmp_path, ["size", "y"], "[linear, cnn]"))
    assert caught.value.where == "model.families"
    check_config(config_of(tmp_path, ["size", "y"], "[linear, tabm]"))


def test_it_is_taken_where_a_column_has_images(tmp_path):
    check_config(config_of(tmp_path, ["image", "size", "y"], "[linear, cnn]"))
