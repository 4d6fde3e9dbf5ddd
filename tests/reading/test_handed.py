import os

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from distml.config import RunConfig, SourceConfig
from distml.errors import DataError
from distml.reading import handed
from distml.reading.handed import keep, with_tables
from distml.reading.source import fingerprint, list_fragments, read_fragment
from distml.storage import Storage
from tables import raw_table


@pytest.fixture
def storage(tmp_path) -> Storage:
    return Storage(tmp_path / "store")


def read(source: SourceConfig) -> pa.Table:
    return pa.concat_tables([block for part in list_fragments(source) for block in read_fragment(part, source)])


def key_of(source: SourceConfig) -> str:
    return source.uri.rpartition("/")[2]


IMAGES = pa.FixedShapeTensorArray.from_numpy_ndarray(np.arange(12, dtype=np.uint8).reshape(3, 2, 2))
KINDS = pa.table(
    {
        "i": pa.array([1, None, 3], pa.int8()),
        "f": [0.1, None, float("nan")],
        "s": ["a", None, ""],
        "c": pa.array(["b", None, "b"]).dictionary_encode(),
        "z": pa.array([1, None, 2], pa.timestamp("ms", "Asia/Tokyo")),
        "n": pa.nulls(3),
        "b": [b"\x00", None, b""],
        "image": IMAGES,
        "list": [[1], None, []],
        "long": pa.array(["x"] * 3, pa.large_string()),
        "d": pa.array([1, 2, None], pa.duration("s")),
    }
)


def test_what_is_read_is_what_was_handed_in(storage):
    table = read(keep(KINDS, storage))
    assert table.schema == KINDS.schema
    for name in KINDS.column_names:
        assert str(table.column(name).to_pylist()) == str(KINDS.column(name).to_pylist()), name


def test_a_table_is_kept_once(storage):
    first = keep(KINDS, storage)
    before = fingerprint(first)
    assert keep(KINDS, storage) == first and fingerprint(first) == before
    assert storage.list("tables", hidden=True) == [key_of(first)]


def test_the_same_rows_are_the_same_table(storage, monkeypatch):
    table = raw_table(100)
    first = keep(table, storage)
    assert (
        keep(table.to_pandas().convert_dtypes().sample(frac=1, random_state=0), storage).uri != first.uri
    )  # other types
    assert keep(table.take(np.arange(100)[::-1]), storage) == first
    monkeypatch.setattr(handed, "_FILE_BYTES", 1000)
    again = keep(table, Storage(storage.uri("other")))
    assert key_of(again) == key_of(first) and len(os.listdir(again.uri)) > 3
    assert read(again).equals(table.combine_chunks())


@pytest.mark.parametrize(
    "other",
    [
        KINDS.slice(0, 2),
        pa.concat_tables([KINDS, KINDS.slice(0, 1)]),
        KINDS.set_column(0, "i", pa.array([1, None, 3], pa.int64())),
        KINDS.set_column(1, "f", pa.array([0.1, None, None])),
        KINDS.set_column(2, "s", pa.array(["a", "", None])),
        KINDS.rename_columns(["j", *KINDS.column_names[1:]]),
        KINDS.drop_columns(["n"]),
        KINDS.set_column(7, "image", IMAGES.take(pa.array([0, 1, 1]))),
    ],
)
def test_other_rows_are_another_table(storage, other):
    assert keep(other, storage) != keep(KINDS, storage)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    values=st.lists(st.one_of(st.none(), st.sampled_from(["a", "b", "", "ü"])), min_size=1),
    seed=st.integers(0, 2**32 - 1),
    num_bytes=st.integers(1, 64),
)
def test_order_and_pieces_do_not_matter(tmp_path, monkeypatch, values, seed, num_bytes):
    table = pa.table({"x": pa.array(values, pa.string()), "y": np.arange(len(values))})
    monkeypatch.setattr(handed, "_FILE_BYTES", 1 << 20)
    first = keep(table, Storage(tmp_path / "one"))
    monkeypatch.setattr(handed, "_FILE_BYTES", num_bytes)
    shuffled = table.take(np.random.default_rng(seed).permutation(len(values)))
    storage = Storage(tmp_path / "two")
    storage.delete("tables")
    second = keep(shuffled, storage)
    assert key_of(first) == key_of(second)
    assert read(second).sort_by("y").equals(table)


def test_what_a_killed_process_left_is_no_part_of_a_table(storage):
    source = keep(KINDS, storage)
    key = f"tables/{key_of(source)}"
    storage.rename(f"{key}/rows-00000.arrow", f"{key}/rows-00007.arrow")
    storage.delete(f"{key}/_table.json")
    assert read(keep(KINDS, storage)).num_rows == 3


def test_a_refused_table_leaves_nothing(storage):
    with pytest.raises(DataError):
        keep(pd.DataFrame({"x": [1, "a"]}), storage)
    assert storage.list("tables", hidden=True) == []


def test_missing_tokens_are_the_config_s(storage):
    source = {"uri": "x.csv", "missing": ["?"], "header": False, "columns": ["a"]}
    config = RunConfig(name="a", storage=storage.root, data={"source": source, "target": "y"})
    chosen = with_tables(config, KINDS, KINDS.slice(1))
    assert chosen.data.test is not None
    assert chosen.data.source.missing == chosen.data.test.missing == ("", "?")
    assert chosen.data.source.header and chosen.data.source.columns is None
    assert (read(chosen.data.source).num_rows, read(chosen.data.test).num_rows) == (3, 2)


@pytest.mark.ray
class TestDatasets:
    @pytest.fixture(autouse=True)
    def _cluster(self, ray_session):
        import ray.data

        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False

    def test_a_dataset_is_the_table_that_it_is_made_of(self, storage):
        import ray.data

        table = raw_table(200)
        dataset = ray.data.from_arrow(table).repartition(5)
        source = keep(dataset, storage)
        assert len([name for name in os.listdir(source.uri) if name.endswith(".arrow")]) == 5
        assert key_of(source) == key_of(keep(table, Storage(storage.uri("other"))))
        order = [("size", "ascending"), ("value", "ascending")]
        assert read(source).sort_by(order).equals(table.sort_by(order))

    def test_tensors_and_columns_that_blocks_know_nothing_of(self, storage):
        import ray.data

        items = [{"image": np.full((2, 2), i, np.uint8), "n": i, "s": None if i < 5 else "a"} for i in range(8)]
        table = read(keep(ray.data.from_items(items, override_num_blocks=4), storage)).sort_by("n")
        assert table.schema.types == [pa.fixed_shape_tensor(pa.uint8(), (2, 2)), pa.int64(), pa.string()]
        assert table.column("s").to_pylist() == [None] * 5 + ["a"] * 3
        assert table.column("image").combine_chunks().storage.flatten().to_pylist()[-4:] == [7] * 4

    def test_what_no_file_holds_is_refused(self, storage):
        import ray.data

        mixed = ray.data.from_pandas(pd.DataFrame({"x": [1, "a"]}))
        with pytest.raises(DataError, match="column x"):
            keep(mixed, storage)
        changed = ray.data.from_arrow(pa.table({"x": [1]})).union(ray.data.from_arrow(pa.table({"y": [1]})))
        with pytest.raises(DataError, match="not in all of them: x, y"):
            keep(changed, storage)
        assert storage.list("tables", hidden=True) == []

    def test_a_dataset_without_rows(self, storage):
        import ray.data

        source = keep(ray.data.from_arrow(raw_table(10)).filter(expr="size > 1000"), storage)
        assert read(source).num_rows == 0
