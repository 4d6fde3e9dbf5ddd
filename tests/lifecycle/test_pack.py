"""Packages whose members are executed by what was measured to be best."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import orjson
import pytest

from distml.errors import PackageError, UsageError
from distml.execution import export
from distml.lifecycle.pack import pack, with_engines
from distml.package import MANIFEST, ModelPackage, manifest_checksum, package_id, verify
from distml.predictor import Predictor
from distml.records import records_from_table
from distml.storage import Storage, dump_json, file_sha256
from tables import cleaner_of, package_of, raw_table

MODEL = "members/0/model.onnx"
TABLE = raw_table(120, seed=5)


def cleaned(package: ModelPackage):
    return package.members[0].pipeline.cleaner.apply(raw_table(100, seed=3)).table


def packed(package: ModelPackage, storage: Path) -> Path:
    pack(package, cleaned(package), Storage(str(storage)), "package")
    return storage / "package"


@pytest.fixture(scope="module")
def plain() -> ModelPackage:
    return package_of("mlp")


@pytest.fixture(scope="module")
def folder(plain, tmp_path_factory) -> Path:
    """Packed once; a test that changes it takes a copy. Its engine is ONNX Runtime, whatever was timed."""
    return by_onnx(packed(plain, tmp_path_factory.mktemp("packed")))


@pytest.fixture
def copy(folder, tmp_path: Path) -> Path:
    shutil.copytree(folder, tmp_path / "package")
    return tmp_path / "package"


def rewrite(folder: Path, **changes) -> None:
    manifest = orjson.loads((folder / MANIFEST).read_bytes()) | changes
    (folder / MANIFEST).write_bytes(dump_json({**manifest, "checksum": manifest_checksum(manifest)}))


def by_onnx(folder: Path) -> Path:
    manifest = verify(folder)
    rewrite(folder, execution={"0": {**manifest["execution"]["0"], "engine": "onnx"}})
    return folder


def test_the_manifest_says_what_was_measured(folder):
    execution = verify(folder)["execution"]["0"]
    assert execution.keys() == {"engine", "why", "us", "group", "rows_at_once"}
    assert execution["us"].keys() == {"torch", "onnx"}
    assert execution["us"]["onnx"].keys() == {"1", "16", "1000"}


def test_the_engine_chosen_predicts_as_what_was_fitted(folder, plain):
    predictor, fitted = Predictor.load(folder), Predictor(ModelPackage.load(folder, as_fitted=True))
    assert (predictor.engines, predictor.notes, fitted.engines) == (("onnx",), (), ("torch",))
    wanted = Predictor(plain).predict(TABLE).scores
    np.testing.assert_array_equal(fitted.predict(TABLE).scores, wanted)
    np.testing.assert_allclose(predictor.predict(TABLE).scores, wanted, rtol=1e-5, atol=1e-5)


def test_few_rows_are_predicted_as_tables_are_to_the_bit(folder):
    predictor = Predictor.load(folder)
    names = [column.name for column in predictor.schema.inputs]
    rows, wanted = records_from_table(TABLE.select(names)), predictor.predict(TABLE).scores
    for n in (1, 2, 15, 120):
        found = predictor.predict_few(rows[:n])
        assert found is not None
        assert found.scores.tobytes() == wanted[:n].tobytes()


def test_torch_is_not_loaded_where_it_does_not_predict(folder):
    code = (
        "import sys\nfrom distml.predictor import Predictor\n"
        f"Predictor.load({str(folder)!r}).warm_up()\nprint('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]


def test_where_onnxruntime_is_not_installed_torch_predicts_and_it_is_said(folder, plain, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    predictor = Predictor.load(folder)
    assert predictor.engines == ("torch",)
    assert predictor.notes == (
        "predicted by torch instead of ONNX Runtime, which was measured to be faster, because onnxruntime is not "
        "installed here; pip install 'distml[onnx]'",
    )
    np.testing.assert_array_equal(predictor.predict(TABLE).scores, Predictor(plain).predict(TABLE).scores)


def test_without_onnxruntime_the_same_model_is_packed_under_the_same_id(folder, plain, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    bare = packed(plain, tmp_path)
    manifest = verify(bare)
    assert manifest["execution"]["0"]["engine"] == "torch"
    assert manifest["execution"]["0"]["why"] == "not exported: onnxruntime is not installed where it was packed"
    assert MODEL not in manifest["files"]
    assert package_id(manifest) == package_id(verify(folder))


@pytest.mark.skipif(sys.platform != "linux", reason="counts threads in /proc")
def test_a_session_takes_the_threads_of_the_process(folder):
    """A thread more for each beyond the first, as ONNX Runtime computes on the caller's own, too."""
    code = (
        "import os, sys\nimport onnxruntime, pyarrow\nfrom pathlib import Path\n"
        "from distml.threads import set_threads\nfrom distml.package import ModelPackage\n"
        "set_threads(int(sys.argv[1]))\n"
        "from distml.execution.load import load_member\nfrom distml.execution import Execution\nimport orjson\n"
        f"folder = Path({str(folder)!r})\n"
        "execution = Execution.from_dict(orjson.loads((folder / 'manifest.json').read_bytes())['execution']['0'])\n"
        "before = len(os.listdir('/proc/self/task'))\n"
        "loaded = load_member(folder / 'members/0', execution)\n"
        "print(len(os.listdir('/proc/self/task')) - before)"
    )
    for n in (1, 3):
        done = subprocess.run([sys.executable, "-c", code, str(n)], capture_output=True, text=True, check=True)
        assert done.stdout.split() == [str(n - 1)]


# What a package is


def test_the_same_model_is_packed_under_the_same_id_whatever_was_timed(plain, tmp_path):
    ids = [pack(plain, cleaned(plain), Storage(str(tmp_path / name)), "package") for name in ("a", "b")]
    assert ids[0] == ids[1]
    files = [verify(tmp_path / name / "package")["files"] for name in ("a", "b")]
    assert files[0] == files[1]


def test_saving_what_was_loaded_as_fitted_gives_the_same_files(folder, tmp_path):
    ModelPackage.load(folder, as_fitted=True).save(tmp_path / "again")
    assert verify(tmp_path / "again") == verify(folder)


def test_what_runs_on_another_engine_is_not_saved(folder, tmp_path):
    with pytest.raises(PackageError, match="as_fitted=True"):
        ModelPackage.load(folder).save(tmp_path / "again")


def test_a_package_that_says_nothing_of_execution_is_executed_as_it_was_fitted(plain, tmp_path):
    plain.save(tmp_path / "old")
    manifest = orjson.loads((tmp_path / "old" / MANIFEST).read_bytes())
    del manifest["execution"]
    manifest = {**manifest, "format": 3}
    (tmp_path / "old" / MANIFEST).write_bytes(dump_json({**manifest, "checksum": manifest_checksum(manifest)}))
    predictor = Predictor.load(tmp_path / "old")
    assert (predictor.engines, predictor.notes) == (("torch",), ())


def test_each_member_has_its_engine():
    trees, network = package_of("trees"), package_of("linear")
    both = replace(
        network,
        members=(*trees.members, *network.members),
        postprocess=replace(network.postprocess, weights=(0.5, 0.5)),
    )
    found = with_engines(both, cleaned(network))
    assert [member.execution.us.keys() for member in found.members] == [{"lightgbm"}, {"torch", "onnx"}]
    assert [member.onnx is None for member in found.members] == [True, False]


# Damage


def refused(folder: Path) -> PackageError:
    with pytest.raises(PackageError) as caught:
        Predictor.load(folder)
    return caught.value


def test_a_file_that_was_changed_is_refused_by_its_checksum(copy):
    content = bytearray((copy / MODEL).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / MODEL).write_bytes(bytes(content))
    assert refused(copy).rule == "a package's files are as they were written"


def test_a_file_that_predicts_otherwise_is_refused_by_the_golden_rows(copy, plain):
    member = plain.members[0]
    table = cleaner_of(raw_table(60), target="y").apply(raw_table(60)).table
    network = package_of("mlp").members[0].model
    network.module.head.bias.data[0] += 0.1
    other = export(network, member.pipeline.encode(table))
    (copy / MODEL).write_bytes(other.content)
    files = orjson.loads((copy / MANIFEST).read_bytes())["files"]
    rewrite(copy, files={**files, MODEL: file_sha256(copy / MODEL)})
    assert refused(copy).rule == "a loaded package predicts its golden rows as it did when it was made"


def test_a_chosen_engine_without_its_file_is_refused(copy):
    files = {name: sha for name, sha in verify(copy)["files"].items() if name != MODEL}
    os.remove(copy / MODEL)
    rewrite(copy, files=files)
    assert refused(copy).rule == "a member that ONNX Runtime predicts has its file and says how rows are given to it"


@pytest.mark.parametrize("device", ["cuda", "cuda:7", "tpu", "cpu:0"])
def test_a_device_that_is_not_here_is_refused(folder, device):
    import torch

    if device == "cuda" and torch.cuda.is_available():
        pytest.skip("there is one")
    with pytest.raises(UsageError, match="a package is loaded onto cpu, or onto cuda where torch sees a GPU"):
        Predictor.load(folder, device=device)
