"""What the config asks of features, from files to the rows that models are fitted on."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from distml.config import CleanConfig, RunConfig
from distml.data import LocalEngine
from distml.features import TargetTransform
from distml.lifecycle.prepare import prepare
from distml.lifecycle.prepared import Prepared
from distml.storage import Storage
from tables import raw_table

WORDS = np.array(["good day", "bad night", "a day in Rome", None], object)
TABLE = raw_table(600).append_column("note", pa.array(np.random.default_rng(0).choice(WORDS, 600).tolist()))
FEATURES = {
    "numeric": {"scale": "log1p", "clip": {"quantiles": [0.01, 0.99]}},
    "categorical": {"encode": "target", "min_count": 1},
    "text": {"num_buckets": 8},
    "columns": {"flag": {"encode": "onehot"}, "size": {"bins": 4}},
}


def config_of(tmp_path, num_files: int, predicted: str = "y", **features) -> RunConfig:
    folder = tmp_path / f"{num_files}"
    folder.mkdir(exist_ok=True)
    for i, rows in enumerate(np.array_split(np.arange(TABLE.num_rows), num_files)):
        pq.write_table(TABLE.take(rows), folder / f"{i}.parquet")
    data = {"source": {"uri": str(folder)}, "target": predicted, "kinds": {"note": "text"}}
    return RunConfig.model_validate({"name": "demo", "data": data, "features": {**FEATURES, **features}})


def prepared(tmp_path, num_files: int, predicted: str = "y", **features) -> Prepared:
    config = config_of(tmp_path, num_files, predicted, **features)
    return prepare(config, Storage(tmp_path / f"store-{num_files}"), LocalEngine())


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Prepared:
    return prepared(tmp_path_factory.mktemp("whole"), 1)


def test_features_do_not_depend_on_how_the_table_is_cut(whole, tmp_path):
    parts = prepared(tmp_path, 5)
    for recipe in ("dense", "trees"):
        assert parts.pipelines[recipe].feature_names == whole.pipelines[recipe].feature_names
        for split in ("train", "validation", "test"):
            a, b = whole.features(recipe, split), parts.features(recipe, split)
            assert a.rows.tolist() == b.rows.tolist()
            assert a.categorical.tolist() == b.categorical.tolist()
            np.testing.assert_allclose(a.numeric, b.numeric, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("recipe", ["dense", "trees"])
def test_training_rows_alone_are_encoded_out_of_fold(whole, recipe):
    pipeline = whole.pipelines[recipe]
    (transform,) = [t for t in pipeline.numeric if isinstance(t, TargetTransform)]
    at = pipeline.feature_names.index("color_target")
    num_categories = len(transform.vocabulary) + 1  # and missing
    assert len(np.unique(whole.features(recipe, "validation").numeric[:, at])) == num_categories
    assert len(np.unique(whole.features(recipe, "train").numeric[:, at])) == num_categories * len(transform.out_of_fold)
    table, _ = whole.rows("test")
    served = pipeline.encode(table.select([column.name for column in whole.schema.features])).numeric
    assert served.tobytes() == whole.features(recipe, "test").numeric.tobytes()


def test_a_text_is_a_feature_whose_length_is_watched(whole):
    assert [name for name in whole.pipelines["trees"].feature_names if name.startswith("note")][-1] == "note_missing"
    known = whole.baseline.columns["note"]
    assert (known.min, known.max) == (8, 13)
    assert known.bins.sum() == known.present


@pytest.mark.parametrize(("encode", "num_warnings"), [("target", 1), ("embed", 0)])
def test_copies_that_are_kept_are_a_warning_where_the_target_encodes(tmp_path, encode, num_warnings):
    config = config_of(tmp_path, 1, categorical={"encode": encode})
    pq.write_table(TABLE.slice(0, 30), tmp_path / "1" / "again.parquet")
    kept = config.model_copy(update={"clean": CleanConfig(duplicates="keep")})
    findings = prepare(kept, Storage(tmp_path / "store"), LocalEngine()).findings
    found = [finding.count for finding in findings if "encoded by the target" in finding.rule]
    assert found == [30] * num_warnings


@pytest.mark.parametrize("scale", ["log1p", "quantile", "none"])
def test_a_regressions_target_is_scaled_as_configured(tmp_path, scale):
    result = prepared(tmp_path, 1, "value", target=scale)
    table, _ = result.rows("validation")
    target = result.features("dense", "validation").target
    span = result.baseline.columns["value"].max - result.baseline.columns["value"].min
    found, wanted = result.target.decode(target), table.column("value").to_numpy()
    inside = (wanted > result.baseline.columns["value"].min) & (wanted < result.baseline.columns["value"].max)
    np.testing.assert_allclose(found[inside], wanted[inside], atol=1e-4 * span)
    again = Prepared.from_dict(result.storage, result.prefix, result.to_dict())
    assert again.target == result.target
    assert again.pipelines == result.pipelines
