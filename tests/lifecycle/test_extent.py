"""A table's rows, told without reading it, and the memory that its features take."""

from __future__ import annotations

import bz2
import gzip

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from distml.config import SourceConfig, parse_config
from distml.lifecycle.extent import PIECE_BYTES, Extent, extent_of, feature_bytes
from distml.schema import Column, Schema


def source(path, **settings):
    return SourceConfig(uri=str(path), **settings)


def lines(n, seed=0):
    """n lines of different length."""
    rng = np.random.default_rng(seed)
    return b"".join(b"%d,%s\n" % (i, b"x" * int(rng.integers(1, 40))) for i in range(n))


@pytest.mark.parametrize(
    ("content", "settings", "num_rows"),
    [
        (b"a,b\n1,2\n3,4\n", {}, 2),
        (b"a,b\n1,2\n3,4", {}, 2),
        (b"1,2\n3,4\n", {"header": False, "columns": ["a", "b"]}, 2),
        (b"# x\na,b\n1,2\n# y\n3,4\n", {"comment": "#"}, 2),
        (b"a,b\n", {}, 0),
        (b"", {}, 0),
    ],
)
def test_a_small_text_is_counted(tmp_path, content, settings, num_rows):
    (tmp_path / "a.csv").write_bytes(content)
    assert extent_of(source(tmp_path / "a.csv", **settings)) == Extent(num_rows=num_rows, is_exact=False)


@pytest.mark.parametrize(
    ("name", "compress"), [("a.csv", bytes), ("a.csv.gz", gzip.compress), ("a.csv.bz2", bz2.compress)]
)
def test_a_large_text_is_told_from_its_beginning(tmp_path, name, compress):
    num_rows = 400_000
    content = compress(b"a,b\n" + lines(num_rows))
    assert len(content) > PIECE_BYTES
    (tmp_path / name).write_bytes(content)
    found = extent_of(source(tmp_path / name))
    assert found.num_rows == pytest.approx(num_rows, rel=0.2)
    assert not found.is_exact


def test_many_files_are_told_from_some_of_them(tmp_path):
    for number in range(50):
        (tmp_path / f"{number:02}.csv").write_bytes(b"a,b\n" + lines(100, seed=number))
    found = extent_of(source(tmp_path))
    assert found.num_rows == pytest.approx(5000, rel=0.1)


@pytest.mark.parametrize("num_files", [1, 3, 40])
def test_parquet_says_how_many(tmp_path, num_files):
    for number in range(num_files):
        pq.write_table(pa.table({"a": range(1000)}), tmp_path / f"{number:02}.parquet", row_group_size=300)
    found = extent_of(source(tmp_path))
    assert found == Extent(num_rows=1000 * num_files, is_exact=True)


def test_a_bundled_table_is_counted():
    assert extent_of(source("sklearn:iris")) == Extent(num_rows=150, is_exact=True)


@pytest.mark.parametrize(
    ("recipe", "indicator", "num_bytes"),
    [("dense", True, 2 * 2 * 4 + 8 + 20), ("dense", False, 2 * 4 + 8 + 20), ("trees", True, 2 * 4 + 8 + 20)],
)
def test_feature_bytes_by_hand(recipe, indicator, num_bytes):
    kinds = {"a": ("numeric", "feature"), "b": ("datetime", "feature"), "c": ("categorical", "feature"),
             "id": ("numeric", "id"), "x": ("numeric", "excluded"), "y": ("categorical", "target")}  # fmt: skip
    columns = [Column(name=n, kind=kind, dtype="number", role=role) for n, (kind, role) in kinds.items()]
    config = parse_config(
        f"{{name: a, data: {{source: {{uri: a.csv}}, target: y}}, features: {{numeric: {{indicator: {indicator}}}}}}}"
    )
    assert feature_bytes(config, Schema(tuple(columns)), recipe, 1000) == 1000 * num_bytes
