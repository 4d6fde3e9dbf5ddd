"""Tables that are no text or Parquet files come out of preparation as the same rows from a file do."""

import io
import sqlite3
import struct
import urllib.parse
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

import distml
from databases import PASSWORD, VARIABLE
from distml.batch import FeatureBatch
from distml.config import RunConfig, SourceConfig
from distml.data import SPLITS, Engine, LocalEngine
from distml.errors import ConfigError, DataError, UsageError
from distml.lifecycle.extent import extent_of
from distml.lifecycle.predict import predict_table, source_of
from distml.lifecycle.prepare import prepare, prepare_key
from distml.lifecycle.prepared import Prepared
from distml.lifecycle.retrain import retrain_config
from distml.lifecycle.run import Resources, resume
from distml.lifecycle.runs import RunRecord
from distml.registry import StoreRegistry
from distml.storage import Storage
from tables import raw_table

HOUSING = """longitude double precision, latitude double precision, housing_median_age double precision,
    total_rooms double precision, total_bedrooms double precision, population double precision,
    households double precision, median_income double precision, median_house_value double precision,
    ocean_proximity text"""


CONFIG: dict[str, Any] = {
    "name": "demo",
    "data": {"target": "y", "exclude": ["value"]},
    "model": {"families": ["trees"]},
    "search": {"num_samples": 1},
}


@pytest.fixture(params=["local", pytest.param("ray", marks=pytest.mark.ray)])
def engine(request) -> Engine:
    if request.param == "local":
        return LocalEngine()
    request.getfixturevalue("ray_session")
    from distml.data.on_ray import RayEngine

    return RayEngine()


def config_of(storage: Path, source: dict[str, Any], target: str, **data: Any) -> RunConfig:
    return RunConfig(name="demo", storage=str(storage), data={"source": source, "target": target, **data})


def prepared(config: RunConfig, engine: Engine | None = None) -> Prepared:
    return prepare(config, Storage(config.storage), engine or LocalEngine())


def assert_same(a: Prepared, b: Prepared) -> None:
    assert a.num_rows == b.num_rows and a.plan == b.plan
    # A CSV's 880.0 is a number, a database's may be an integer: a column's dtype tells how it was written.
    told = [[(c.name, c.kind, c.role, c.shape) for c in prepared.schema.columns] for prepared in (a, b)]
    assert told[0] == told[1]
    for split in SPLITS:
        for recipe in a.pipelines:
            assert_same_batch(a.features(recipe, split), b.features(recipe, split))


def assert_same_batch(a: FeatureBatch, b: FeatureBatch) -> None:
    assert list(a.arrays()) == list(b.arrays())
    for name, array in a.arrays().items():
        assert array.tobytes() == b.arrays()[name].tobytes(), name


# SQL


@pytest.fixture(scope="session")
def housing(shared_data) -> Path:
    return shared_data / "california_housing" / "housing.csv"


@pytest.fixture(scope="session")
def from_csv(housing, tmp_path_factory) -> Prepared:
    return prepared(config_of(tmp_path_factory.mktemp("csv"), {"uri": str(housing)}, "median_house_value"))


@pytest.fixture
def sqlite_housing(housing, tmp_path) -> str:
    connection = sqlite3.connect(tmp_path / "housing.db")
    pd.read_csv(housing).to_sql("housing", connection, index=False)
    connection.close()
    return f"sql:sqlite:///{tmp_path}/housing.db"


@pytest.fixture
def postgres_housing(housing, postgres) -> str:
    postgres.load_csv("housing", HOUSING, housing)
    return postgres.uri


@pytest.mark.parametrize("database", ["sqlite_housing", "postgres_housing"])
def test_a_query_gives_what_the_csv_gives(request, database, engine, from_csv, tmp_path):
    source = {
        "uri": request.getfixturevalue(database), "query": "SELECT * FROM housing",
        "partition": {"column": "median_income", "num": 3},
    }  # fmt: skip
    assert_same(prepared(config_of(tmp_path / "store", source, "median_house_value"), engine), from_csv)


def test_a_query_is_taken_up_while_its_rows_are_the_same(tmp_path):
    table = raw_table(200).to_pandas()
    connection = sqlite3.connect(tmp_path / "rows.db")
    table.to_sql("t", connection, index=False)
    source = {"uri": f"sql:sqlite:///{tmp_path}/rows.db", "query": "SELECT * FROM t"}
    config = config_of(tmp_path / "store", source, "y")
    first = prepared(config)
    table.sample(frac=1, random_state=0).to_sql("t", connection, index=False, if_exists="replace")
    assert prepare_key(config) == first.key
    connection.execute("DELETE FROM t WHERE count = 2")
    connection.commit()
    again = prepared(config)
    assert again.key != first.key and sum(again.num_rows.values()) < sum(first.num_rows.values())


def test_a_query_without_rows_is_refused(tmp_path):
    sqlite3.connect(tmp_path / "rows.db").execute("CREATE TABLE t (x integer, y text)")
    source = {"uri": f"sql:sqlite:///{tmp_path}/rows.db", "query": "SELECT * FROM t"}
    with pytest.raises(DataError, match="a table has at least one row"):
        prepared(config_of(tmp_path / "store", source, "y"))
    assert not (tmp_path / "store").exists() or not list((tmp_path / "store").rglob("*.arrow"))


def test_a_training_table_and_a_test_table_of_one_database(tmp_path):
    connection = sqlite3.connect(tmp_path / "rows.db")
    raw_table(200).to_pandas().to_sql("t", connection, index_label="id")
    uri = f"sql:sqlite:///{tmp_path}/rows.db"
    source, test = ({"uri": uri, "query": f"SELECT * FROM t WHERE id {sign} 150"} for sign in ("<", ">="))
    result = prepared(config_of(tmp_path / "store", source, "y", test=test, roles={"id": "id"}))
    assert result.num_rows["test"] == 50 and sum(result.num_rows.values()) == 200


def test_the_password_is_nowhere_but_in_the_environment(postgres, tmp_path, capfd):
    postgres.execute("DROP TABLE IF EXISTS t", "CREATE TABLE t (x double precision, y text)")
    postgres.execute(
        "INSERT INTO t SELECT i * 0.5, CASE WHEN i % 2 = 0 THEN 'a' ELSE 'b' END FROM generate_series(1, 99) i"
    )
    source = {"uri": postgres.uri, "query": "SELECT * FROM t"}
    config = {**CONFIG, "storage": str(tmp_path / "store"), "data": {"source": source, "target": "y"}}
    result = distml.run(config, until="prepare", engine="local")
    assert result.prepared is not None
    assert result.config.data.source.uri == postgres.uri and VARIABLE in postgres.uri
    said = "".join(capfd.readouterr())
    written = [path for path in (tmp_path / "store").rglob("*") if path.is_file()]
    assert any(VARIABLE.encode() in path.read_bytes() for path in written)  # the run's record names the variable
    for secret in (PASSWORD, urllib.parse.quote(PASSWORD, safe="")):
        assert secret not in said
        assert not [path for path in written if secret.encode() in path.read_bytes()]


def scored(version, storage: Storage, source: SourceConfig, out: Path) -> pa.Table:
    predict_table(version, storage, source, str(out), LocalEngine())
    return pq.read_table(out)


def test_a_query_is_scored_like_the_file_of_its_rows(tmp_path):
    raw_table(300).to_pandas().to_sql("t", sqlite3.connect(tmp_path / "rows.db"), index_label="id")
    uri = f"sql:sqlite:///{tmp_path}/rows.db"
    source = {"uri": uri, "query": "SELECT * FROM t"}
    told = {**CONFIG["data"], "source": source, "exclude": ["id", "value"]}
    result = distml.run({**CONFIG, "storage": str(tmp_path / "store"), "data": told}, engine="local")
    version, storage = result.version, result.storage
    assert version is not None
    new = raw_table(200, seed=1).to_pandas().rename_axis("id").reset_index()
    new.loc[:150, "color"] = None
    new["flag"] = new["flag"].astype(int)  # as SQLite has truth values
    new.to_sql("new", sqlite3.connect(tmp_path / "rows.db"), index=False)
    new.to_csv(tmp_path / "new.csv", index=False)
    overrides = ["data.source.query=SELECT * FROM new", "data.source.partition={column: id, num: 3}"]
    from_sql = scored(version, storage, source_of(storage, version, uri, overrides), tmp_path / "sql.parquet")
    told_file = source_of(storage, version, str(tmp_path / "new.csv"))
    from_file = scored(version, storage, told_file, tmp_path / "csv.parquet")
    names = [name for name in from_file.column_names if name.startswith("pr")]
    assert from_file.num_rows == 200
    assert from_sql.sort_by("id").select(names).equals(from_file.select(names))
    with pytest.raises(ConfigError, match="needs `query`"):
        source_of(storage, version, uri)


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ({"uri": "sql:sqlite:///FOLDER/rows.db", "query": "SELECT * FROM t"}, "300"),
        ({"uri": "FOLDER/a-images-idx3-ubyte", "labels": "FOLDER/a-labels-idx1-ubyte"}, "60"),
        ({"uri": "FOLDER/images", "format": "images"}, "60"),
    ],
)
def test_what_a_plan_says_of_rows(tmp_path, source, told):
    raw_table(300).to_pandas().to_sql("t", sqlite3.connect(tmp_path / "rows.db"), index=False)
    write_idx(tmp_path, *shapes(0))
    write_folder(tmp_path / "images", *shapes(0))
    source = {key: value.replace("FOLDER", str(tmp_path)) for key, value in source.items()}
    assert str(extent_of(SourceConfig(**source))) == told


# Images


def shapes(seed: int, n: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Images with a bright left or right half, and which."""
    rng = np.random.default_rng(seed)
    pixels, labels = rng.integers(0, 100, (n, 6, 6), np.uint8), rng.integers(0, 2, n)
    for side in (0, 1):
        pixels[labels == side, :, 3 * side : 3 * side + 3] += 100
    return pixels, labels


def write_idx(folder: Path, pixels: np.ndarray, labels: np.ndarray) -> None:
    header = bytes([0, 0, 8, 3]) + struct.pack(">3I", *pixels.shape)
    (folder / "a-images-idx3-ubyte").write_bytes(header + pixels.tobytes())
    label_header = bytes([0, 0, 8, 1]) + struct.pack(">I", len(labels))
    (folder / "a-labels-idx1-ubyte").write_bytes(label_header + labels.astype(np.uint8).tobytes())


def write_folder(folder: Path, pixels: np.ndarray, labels: np.ndarray) -> None:
    for number, (image, label) in enumerate(zip(pixels, labels, strict=True)):
        (folder / str(label)).mkdir(parents=True, exist_ok=True)
        stream = io.BytesIO()
        Image.fromarray(image).save(stream, "PNG")
        (folder / str(label) / f"{number:03}.png").write_bytes(stream.getvalue())


def test_idx_and_a_folder_and_a_frame_of_the_same_images_are_prepared_alike(tmp_path, engine):
    pixels, labels = shapes(0)
    write_idx(tmp_path, pixels, labels)
    idx = {"uri": f"{tmp_path}/a-images-idx3-ubyte", "labels": f"{tmp_path}/a-labels-idx1-ubyte"}
    kinds = {"kinds": {"label": "categorical"}}
    from_idx = prepared(config_of(tmp_path / "store", idx, "label", **kinds), engine)

    write_folder(tmp_path / "images", pixels, labels)
    source = {"uri": f"{tmp_path}/images", "format": "images"}
    from_folder = prepared(config_of(tmp_path / "store", source, "label", exclude=["path"], **kinds), engine)
    assert sorted(column.name for column in from_folder.schema.kept) == ["image", "label"]
    assert sum(from_folder.num_rows.values()) == sum(from_idx.num_rows.values()) == 60

    from distml.reading.handed import with_tables

    frame = pd.DataFrame({"image": list(pixels), "label": labels})
    config = config_of(tmp_path / "store", {"uri": "x"}, "label", **kinds)
    assert_same(prepared(with_tables(config, frame), engine), from_idx)


# Handed in from Python


def test_a_frame_is_run_through_and_gone_on_with(tmp_path):
    storage = Storage(tmp_path / "store")
    table = raw_table(300)
    config = {**CONFIG, "storage": storage.root}
    result = distml.run(config, data=table.to_pandas(), engine="local")
    assert result.version is not None and result.prepared is not None
    again = distml.run(config, data=table.to_pandas().sample(frac=1, random_state=1), until="prepare", engine="local")
    assert again.prepared is not None and again.prepared.key == result.prepared.key

    record = RunRecord(storage, storage.read_json(f"runs/{again.run}/run.json"))
    record.write(state="interrupted", pid=2**31 - 1)
    resumed = resume(storage, again.run, Resources())
    assert resumed.prepared is not None and resumed.prepared.key == result.prepared.key

    champion = StoreRegistry(storage).champion("demo")
    assert champion is not None
    assert prepared(retrain_config(storage, champion)).key == result.prepared.key  # the stored copy


def test_a_frame_and_the_same_file_are_prepared_alike(tmp_path):
    pq.write_table(raw_table(300), tmp_path / "rows.parquet")
    pq.write_table(raw_table(60, seed=1), tmp_path / "test.parquet")
    storage = str(tmp_path / "store")
    named = {"source": {"uri": f"{tmp_path}/rows.parquet"}, "test": {"uri": f"{tmp_path}/test.parquet"}}
    files = {**CONFIG, "storage": storage, "data": {**CONFIG["data"], **named}}
    from_files = distml.run(files, until="prepare", engine="local").prepared
    data = raw_table(300), raw_table(60, seed=1)
    handed_in = distml.run({**CONFIG, "storage": storage}, data=data[0], test=data[1], until="prepare", engine="local")
    assert from_files is not None and handed_in.prepared is not None
    assert_same(handed_in.prepared, from_files)


@pytest.mark.ray
def test_a_dataset_is_prepared_on_its_cluster(tmp_path, ray_session):
    import ray.data

    config = {**CONFIG, "storage": str(tmp_path / "store")}
    dataset = ray.data.from_arrow(raw_table(300)).repartition(3)
    on_ray = distml.run(config, data=dataset, until="prepare").prepared
    here = distml.run(
        {**config, "storage": str(tmp_path / "here")}, data=raw_table(300), until="prepare", engine="local"
    )
    assert on_ray is not None and here.prepared is not None
    assert_same(on_ray, here.prepared)


def test_a_config_without_a_table_wants_one(tmp_path):
    config = {**CONFIG, "storage": str(tmp_path / "store")}
    with pytest.raises(UsageError, match=r"data\.source"):
        distml.run(config, engine="local")
    with pytest.raises(UsageError, match="handed in with the table itself"):
        distml.run({**config, "data": {"source": {"uri": "a.csv"}, "target": "y"}}, test=raw_table(9), engine="local")


def test_a_table_that_is_refused_leaves_no_run(tmp_path):
    config = {**CONFIG, "storage": str(tmp_path / "store")}
    with pytest.raises(DataError, match="names a column of the table"):
        distml.run(config, data=pa.table({"x": [1, 2]}), engine="local")
    assert Storage(tmp_path / "store").list("runs") == []
