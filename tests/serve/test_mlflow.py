"""A package through MLflow's own ways of loading a model."""

import os
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np
import orjson
import pandas as pd
import pytest
import yaml

from distml.errors import PackageError
from distml.package import MANIFEST
from distml.predictor import Predictor, with_golden
from distml.schema import Schema
from distml.serve.mlflow import PACKAGE, description
from packages import package_of, table_of

ROWS = table_of("binary", 20, seed=5).drop_columns(["y"]).to_pandas()


def model_in(folder: Path, task="binary", optional=(), whole=False):
    """An MLflow model as a run leaves it; returns what predicts with the package itself. whole: whether the training
    table's sizes were whole numbers."""
    package = package_of(task, epochs=2)
    schema = package.schema.with_optional(optional)
    if whole:
        schema = Schema(tuple(replace(c, dtype="integer") if c.name == "size" else c for c in schema.columns))
    package = with_golden(replace(package, schema=schema), table_of(task, 20))
    package.save(folder / PACKAGE)
    manifest = orjson.loads((folder / PACKAGE / MANIFEST).read_bytes())
    for name, content in description(manifest, "f00").items():
        (folder / name).write_bytes(content)
    return Predictor.load(folder / PACKAGE)


def loaded(folder):
    from mlflow import pyfunc

    return pyfunc.load_model(str(folder))


def test_mlflow_predicts_what_the_predictor_does(tmp_path):
    wanted = model_in(tmp_path).predict(ROWS)
    found = loaded(tmp_path).predict(ROWS)
    assert list(found) == ["prediction", "probability_no", "probability_yes"]
    assert found["prediction"].tolist() == wanted.values.tolist()
    np.testing.assert_array_equal(found[["probability_no", "probability_yes"]], wanted.probabilities)


def test_a_number_is_predicted_as_one(tmp_path):
    wanted = model_in(tmp_path, "regression").predict(ROWS)
    found = loaded(tmp_path).predict(ROWS)
    assert list(found) == ["prediction"]
    np.testing.assert_array_equal(found["prediction"], wanted.values)


def test_the_description_holds_no_code_and_no_pickle(tmp_path):
    model_in(tmp_path)
    value = yaml.safe_load((tmp_path / "MLmodel").read_text())
    flavor = value["flavors"]["python_function"]
    assert (flavor["loader_module"], flavor["data"]) == ("distml.serve.mlflow", "package")
    assert value["run_id"] == "f00"
    assert {path.name for path in tmp_path.iterdir()} == {"MLmodel", "package", "python_env.yaml", "requirements.txt"}
    assert {path.suffix for path in tmp_path.rglob("*") if path.is_file()} <= {
        "", ".json", ".yaml", ".txt", ".safetensors"
    }  # fmt: skip


def test_the_signature_says_what_a_frame_has(tmp_path):
    model_in(tmp_path, optional=["colour"])
    signature = loaded(tmp_path).metadata.signature
    assert [(c.name, c.type.name, c.required) for c in signature.inputs] == [
        ("size", "double", True),
        ("colour", "string", False),
    ]
    assert [(c.name, c.type.name) for c in signature.outputs] == [
        ("prediction", "string"),
        ("probability_no", "double"),
        ("probability_yes", "double"),
    ]


@pytest.mark.parametrize("dtype", ["int64", "int32", "float64", "Int64"])
def test_whole_numbers_come_as_pandas_has_them(tmp_path, dtype):
    predictor = model_in(tmp_path, whole=True)
    frame = ROWS.assign(size=pd.Series(range(len(ROWS))).astype(dtype))
    wanted = predictor.predict(frame.assign(size=frame["size"].astype(float)))
    np.testing.assert_array_equal(loaded(tmp_path).predict(frame)["probability_yes"], wanted.probabilities[:, 1])


def test_an_optional_column_may_be_absent(tmp_path):
    predictor = model_in(tmp_path, optional=["colour"])
    found = loaded(tmp_path).predict(ROWS[["size"]])
    wanted = predictor.predict(ROWS.assign(colour=None))
    np.testing.assert_array_equal(found["probability_yes"], wanted.probabilities[:, 1])


def test_a_required_column_may_not(tmp_path):
    from mlflow.exceptions import MlflowException

    model_in(tmp_path)
    with pytest.raises(MlflowException, match="missing inputs"):
        loaded(tmp_path).predict(ROWS[["size"]])


def test_a_damaged_package_is_not_loaded(tmp_path):
    model_in(tmp_path)
    (tmp_path / PACKAGE / "postprocess.json").write_bytes(b"{}")
    with pytest.raises(PackageError):
        loaded(tmp_path)


@pytest.mark.slow
def test_mlflow_models_serve_serves_it(tmp_path):
    predictor = model_in(tmp_path)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", str(tmp_path), "--env-manager", "local"]
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(port)], env=environment, stdout=log, stderr=log
        )
    try:
        answer = _answered(f"http://127.0.0.1:{port}/invocations", ROWS, tmp_path / "log")
    finally:
        process.terminate()
        process.wait()
    wanted = predictor.predict(ROWS)
    assert [row["prediction"] for row in answer["predictions"]] == wanted.values.tolist()
    probabilities = [[row["probability_no"], row["probability_yes"]] for row in answer["predictions"]]
    np.testing.assert_allclose(probabilities, wanted.probabilities, rtol=0, atol=1e-6)


def _answered(url: str, rows: pd.DataFrame, log: Path):
    body = {"dataframe_split": rows.to_dict("split")}
    end = time.monotonic() + 90
    while time.monotonic() < end:
        try:
            answer = httpx.post(url, json=body, timeout=30)
        except httpx.TransportError:
            time.sleep(0.2)
            continue
        assert answer.status_code == 200, answer.text
        return answer.json()
    raise AssertionError(log.read_text()[-2000:])
