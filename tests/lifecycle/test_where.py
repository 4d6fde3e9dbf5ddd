"""Where a table is prepared follows from its size, or is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from distml.config import RunConfig
from distml.data import LocalEngine
from distml.lifecycle.where import LARGE_BYTES, Where, engine_for, where_to_prepare


class Cluster(LocalEngine):
    name = "ray"


def config_of(tmp_path: Path, num_bytes: int = 4, **data: Any) -> RunConfig:
    table = tmp_path / "t.csv"
    with table.open("wb") as stream:
        stream.truncate(num_bytes)  # as large as it says, without being written
    source = {"uri": str(table), "header": False, "columns": ["x", "y"]}
    return RunConfig.model_validate({"name": "demo", "data": {"source": source, "target": "y", **data}})


@pytest.mark.parametrize(
    ("num_bytes", "data", "wanted"),
    [
        (4, {}, Where(engine="local", reason="4 B")),
        (LARGE_BYTES - 1, {}, Where(engine="local", reason="268.4 MB")),
        (LARGE_BYTES, {}, Where(engine="ray", reason="268.4 MB")),
        (LARGE_BYTES, {"engine": "local"}, Where(engine="local", reason="data.engine: local")),
        (4, {"engine": "ray"}, Where(engine="ray", reason="data.engine: ray")),
        (4, {"resources": {"gpu": 0.5}}, Where(engine="ray", reason="data.resources asks for a GPU")),
    ],
)
def test_the_place_follows_from_size_and_settings(tmp_path, num_bytes, data, wanted):
    assert where_to_prepare(config_of(tmp_path, num_bytes, **data)) == wanted


def test_a_test_table_counts(tmp_path):
    half = config_of(tmp_path, LARGE_BYTES // 2)
    both = half.model_copy(update={"data": half.data.model_copy(update={"test": half.data.source})})
    assert (where_to_prepare(half).engine, where_to_prepare(both).engine) == ("local", "ray")


def test_a_query_in_parts_is_for_a_cluster():
    source = {"uri": "sql:sqlite:///t.db", "query": "select * from t"}
    for partition, wanted in ((None, "local"), ({"column": "id", "num": 2}, "ray")):
        data = {"source": {**source, "partition": partition}, "target": "y"}
        assert where_to_prepare(RunConfig.model_validate({"name": "demo", "data": data})).engine == wanted


def test_a_cluster_is_used_where_it_is_there_and_wanted(tmp_path):
    cluster, here = Cluster(), LocalEngine()
    assert engine_for(config_of(tmp_path, engine="ray"), cluster) is cluster
    assert engine_for(config_of(tmp_path), cluster).name == "local"
    assert engine_for(config_of(tmp_path), here) is here
