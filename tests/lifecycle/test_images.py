"""Tables of images through the whole lifecycle: files of several kinds, damaged ones, scoring, MNIST itself."""

from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from distml.config import RunConfig, parse_config
from distml.data import LocalEngine
from distml.errors import ConfigError, DataError
from distml.lifecycle.predict import predict_table, source_of
from distml.lifecycle.preflight import check_config
from distml.lifecycle.run import Resources, run
from distml.lifecycle.validate import validate
from distml.predictor import Predictor
from distml.storage import Storage
from pictures import bars, picture_table, written

CONFIG = """
name: pictures
data: {{source: {{uri: {uri}}}, target: y}}
model: {{families: [linear]}}
search: {{num_samples: 1}}
train: {{max_epochs: 3}}
"""
DAMAGED, OTHER_SIZE = 7, 11


def config_of(uri: Path, *overrides: str) -> RunConfig:
    return parse_config(CONFIG.format(uri=uri), [f"storage={uri.parent}/store", *overrides])


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> Path:
    """160 encoded images, one of them cut off and one of another size."""
    found = picture_table(160, kind="png")
    images = found.column("image").to_pylist()
    images[DAMAGED] = images[DAMAGED][:60]
    images[OTHER_SIZE] = written(bars(1, size=(9, 7))[0][0])
    uri = tmp_path_factory.mktemp("pictures") / "table.parquet"
    pq.write_table(found.set_column(0, "image", pa.array(images)), uri)
    return uri


@pytest.fixture(scope="module")
def result(table):
    return run(config_of(table, "clean.images=quarantine", "features.image.size=[8, 8]"), Resources())


def test_images_are_learnt_from(result):
    assert result.prepared.schema["image"].shape == (8, 8, 1)
    assert result.evaluated.metrics["roc_auc"] > 0.9
    assert set(result.evaluated.baselines) == {"dummy", "linear", "trees"}


def test_a_damaged_one_is_set_aside_with_its_reason(result):
    (finding,) = [finding for finding in result.prepared.findings if finding.column == "image"]
    assert (finding.rule, finding.count, finding.action) == ("an image can be read", 1, "quarantine")
    assert finding.examples[0][0] == DAMAGED
    assert sum(result.prepared.num_rows.values()) == 159


@pytest.mark.parametrize(
    ("override", "error", "told"),
    [
        ("features.image.size=[8, 8]", DataError, "an image can be read"),
        ("clean.images=drop", DataError, "the images of a column have one size"),
        ("evaluate.slices=[image]", DataError, "holds no images"),
        ("features.image.size=[0, 8]", ConfigError, "greater than or equal to 1"),
    ],
)
def test_what_a_run_refuses(table, override, error, told):
    with pytest.raises(error, match=told):
        run(config_of(table, override, *(["clean.images=drop", "features.image.size=[8, 8]"] * ("slices" in override))),
            Resources())  # fmt: skip


def test_the_refusal_names_file_row_and_column(table):
    with pytest.raises(DataError) as caught:
        run(config_of(table, "features.image.size=[8, 8]"), Resources())
    assert f"row {DAMAGED}, column image" in caught.value.where
    assert "table.parquet" in caught.value.where


def test_validate_finds_them_and_draws_a_page(table, tmp_path):
    config = config_of(table, "features.image.size=[8, 8]", "clean.images=quarantine")
    found = validate(config, Storage(tmp_path), LocalEngine())
    (seen,) = [seen for seen in found.inspection.observations if seen.column == "image"]
    assert seen.count == 1
    assert seen.examples[0].row == DAMAGED
    assert "image" in found.page()
    orjson.dumps(found.to_dict())


def test_a_table_is_scored_as_requests_are(result, table, tmp_path):
    out = tmp_path / "scored.parquet"
    scored = predict_table(
        result.version, result.storage, source_of(result.storage, result.version, str(table)), str(out), LocalEngine()
    )
    assert (scored.num_rows, scored.num_quarantined) == (159, 1)
    with result.storage.local_folder(result.version.package) as folder:
        predictor = Predictor.load(folder)
    raw = pq.read_table(table)
    kept = raw.take(pa.array([row for row in range(160) if row != DAMAGED]))
    assert pq.read_table(out).column("prediction").to_pylist() == predictor.predict(kept).values.tolist()


def test_tensors_in_parquet_are_images_too(tmp_path):
    uri = tmp_path / "tensors.parquet"
    pq.write_table(picture_table(60, channels=3), uri)
    config = config_of(uri)
    check_config(config)
    assert run(config, Resources(), until="prepare").prepared.schema["image"].shape == (8, 8, 3)


MNIST = """
name: mnist
data:
  source: {{uri: {0}/train-images-idx3-ubyte.gz, labels: {0}/train-labels-idx1-ubyte.gz}}
  test: {{uri: {0}/t10k-images-idx3-ubyte.gz, labels: {0}/t10k-labels-idx1-ubyte.gz}}
  target: label
model: {{families: [mlp]}}
search: {{num_samples: 1}}
train: {{max_epochs: 5}}
"""


@pytest.mark.slow
def test_mnist(shared_data, tmp_path):
    config = parse_config(MNIST.format(shared_data / "mnist"), [f"storage={tmp_path}"])
    result = run(config, Resources())
    assert result.prepared.num_rows == {"train": 51_000, "validation": 9_000, "test": 10_000}
    assert result.evaluated.metrics["accuracy"] > 0.96
    spec = result.prepared.pipelines["dense"].input_spec(10).tensors["image"]
    np.testing.assert_allclose([spec.mean[0] / 255, spec.std[0] / 255], [0.1307, 0.3081], atol=5e-4)
