import dataclasses
import shutil
from pathlib import Path

import numpy as np
import orjson
import pytest

from distml.errors import PackageError
from distml.package import FORMAT, MANIFEST, ModelPackage, manifest_checksum, package_id, verify
from distml.predictor import Predictor
from distml.storage import dump_json
from tables import package_of, raw_table

PACKAGES = {("linear", "y"): None, ("trees", "y"): None, ("trees", "value"): None}


@pytest.fixture(scope="module", params=PACKAGES, ids=lambda kind: f"{kind[0]} {kind[1]}")
def package(request) -> ModelPackage:
    return package_of(*request.param, private="color", roles={"group": "flag"})


@pytest.fixture
def folder(package, tmp_path: Path) -> Path:
    package.save(tmp_path / "package")
    return tmp_path / "package"


@pytest.fixture(scope="module")
def linear_folder(tmp_path_factory) -> Path:
    """Of one package, saved once; a test that changes it takes a copy."""
    folder = tmp_path_factory.mktemp("linear") / "package"
    package_of("linear").save(folder)
    return folder


@pytest.fixture
def copy(linear_folder, tmp_path: Path) -> Path:
    shutil.copytree(linear_folder, tmp_path / "package")
    return tmp_path / "package"


def files_below(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def rewrite(folder: Path, *, seal: bool = True, **changes) -> None:
    """Changes a manifest; with `seal` its checksum too, as one would who means harm."""
    manifest = orjson.loads((folder / MANIFEST).read_bytes()) | changes
    if seal:
        manifest["checksum"] = manifest_checksum(manifest)
    (folder / MANIFEST).write_bytes(dump_json(manifest))


def refused(folder: Path) -> PackageError:
    with pytest.raises(PackageError) as caught:
        ModelPackage.load(folder)
    return caught.value


def test_a_package_is_data(package, folder):
    weights = {"linear": "weights.safetensors", "trees": "model.txt"}[package.members[0].model.spec.family]
    assert files_below(folder) == sorted(
        ["baseline.json", "golden.json", "manifest.json", "members/0/features.json", "members/0/model.json",
         f"members/0/{weights}", "postprocess.json"]
    )  # fmt: skip


def test_comes_back_as_it_was(package, folder):
    loaded = ModelPackage.load(folder)
    for field in ("name", "schema", "postprocess", "metrics", "lineage", "golden", "task"):
        assert getattr(loaded, field) == getattr(package, field)
    assert loaded.members[0].pipeline == package.members[0].pipeline
    assert loaded.baseline.inputs.to_dict() == package.baseline.inputs.to_dict()
    assert loaded.baseline.predictions.to_dict() == package.baseline.predictions.to_dict()


def test_predicts_identically_when_loaded(package, folder):
    table = raw_table(100, seed=5)
    np.testing.assert_array_equal(
        Predictor.load(folder).predict(table).scores, Predictor(package).predict(table).scores
    )


def test_saving_what_was_loaded_gives_the_same_files(folder, tmp_path):
    ModelPackage.load(folder).save(tmp_path / "again")
    assert verify(tmp_path / "again") == verify(folder)


def test_the_manifest(package, folder):
    manifest = verify(folder)
    assert manifest["format"] == FORMAT
    assert manifest["num_members"] == 1
    assert set(manifest["files"]) == set(files_below(folder)) - {MANIFEST}
    assert manifest["task"] == package.task
    assert [column["name"] for column in manifest["signature"]["inputs"]] == [c.name for c in package.schema.features]
    labels = None if package.task == "regression" else ["no", "yes"]
    assert manifest["signature"]["outputs"] == {"target": package.schema.target.name, "labels": labels}


def test_the_id_is_of_the_files_alone(package, folder, tmp_path):
    other = dataclasses.replace(package, name="other", metrics={"a": 1}, lineage={})
    other.save(tmp_path / "other")
    assert package_id(verify(tmp_path / "other")) == package_id(verify(folder))
    different = dataclasses.replace(package, postprocess=dataclasses.replace(package.postprocess, threshold=0.4))
    different.save(tmp_path / "different")
    assert package_id(verify(tmp_path / "different")) != package_id(verify(folder))


def test_several_members_are_kept_in_order(package, tmp_path):
    double = dataclasses.replace(
        package,
        members=package.members * 2,
        postprocess=dataclasses.replace(package.postprocess, weights=(0.25, 0.75)),
    )
    double.save(tmp_path / "double")
    table = raw_table(20, seed=5)
    scores = Predictor.load(tmp_path / "double").predict(table).scores
    np.testing.assert_allclose(scores, Predictor(package).predict(table).scores, rtol=1e-12)


# Damage


def damaged(content: bytes, place: int) -> bytes:
    changed = bytearray(content)
    changed[place] ^= 1
    return bytes(changed)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.999])
def test_one_changed_byte_is_found_in_every_file(copy, share):
    for name in files_below(copy):
        path = copy / name
        content = path.read_bytes()
        path.write_bytes(damaged(content, int(share * len(content))))
        error = refused(copy)
        if name != MANIFEST:
            assert error.rule == "a package's files are as they were written"
            assert error.where == f"{copy}/{name}"
        path.write_bytes(content)
    assert ModelPackage.load(copy).name == "demo"


def test_a_changed_byte_anywhere_in_the_manifest_is_found(copy):
    content = (copy / MANIFEST).read_bytes()
    for place in range(0, len(content), 7):
        (copy / MANIFEST).write_bytes(damaged(content, place))
        with pytest.raises(PackageError):
            verify(copy)


@pytest.mark.parametrize("change", [{"metrics": {"validation": {"roc_auc": 0.99}}}, {"name": "other"}, {"lineage": {}}])
def test_a_changed_manifest_is_refused(copy, change):
    rewrite(copy, seal=False, **change)
    error = refused(copy)
    assert (error.rule, error.where) == ("a manifest is as it was written", str(copy / MANIFEST))


@pytest.mark.parametrize("name", ["members/0/weights.safetensors", "postprocess.json", "golden.json"])
def test_a_file_that_is_gone_is_refused(copy, name):
    (copy / name).unlink()
    error = refused(copy)
    assert (error.rule, error.received, error.where) == ("a package is whole", f"no file {name}", str(copy))


@pytest.mark.parametrize("name", ["evil.pkl", "members/0/extra.json", "members/0/manifest.json", ".hidden"])
def test_a_stranger_is_refused(copy, name):
    (copy / name).write_bytes(b"{}")
    error = refused(copy)
    assert (error.rule, error.received) == ("a package holds only files that its manifest lists", name)


@pytest.mark.parametrize("name", ["postprocess.json", "members/0", "members", MANIFEST])
def test_a_link_is_refused_even_to_the_same_content(copy, tmp_path, name):
    (copy / name).rename(tmp_path / "elsewhere")
    (copy / name).symlink_to(tmp_path / "elsewhere")
    error = refused(copy)
    assert (error.rule, error.received) == ("a package holds no links", name)


def test_a_link_to_nothing_is_refused(copy):
    (copy / "link").symlink_to(copy / "nothing")
    assert refused(copy).received == "link"


@pytest.mark.parametrize("name", ["../outside.json", "/etc/hostname", "members/../../outside.json", "members/0"])
def test_a_listed_path_that_leaves_the_package_is_refused(copy, tmp_path, name):
    (tmp_path / "outside.json").write_bytes(b"{}")
    files = verify(copy)["files"]
    rewrite(copy, files={**files, name: "0" * 64})
    error = refused(copy)
    assert (error.rule, error.received) == ("a package is whole", f"no file {name}")


@pytest.mark.parametrize(
    ("content", "rule", "received"),
    [
        (None, "a package has a manifest", "no manifest.json"),
        (b"", "a manifest is JSON", None),
        (b"{", "a manifest is JSON", None),
        (b"[]", "a package of format 3 or 4", "None"),
        (b"{}", "a package of format 3 or 4", "None"),
        (b'{"format": 1}', "a package of format 3 or 4", "1"),
        (b'{"format": "2"}', "a package of format 3 or 4", "'2'"),
        (b'{"format": 3}', "a manifest is as it was written", "another checksum"),
    ],
)
def test_a_manifest_that_is_none_is_refused(copy, content, rule, received):
    (copy / MANIFEST).unlink()
    if content is not None:
        (copy / MANIFEST).write_bytes(content)
    error = refused(copy)
    assert error.rule == rule
    assert received is None or error.received == received


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    assert refused(tmp_path / "nowhere").received == "no manifest.json"


def test_a_family_that_is_not_known_is_refused(copy):
    path = copy / "members/0/model.json"
    path.write_bytes(dump_json({**orjson.loads(path.read_bytes()), "family": "wizard"}))
    rewrite(copy, files=current_files(copy))
    error = refused(copy)
    assert error.received == "wizard"
    assert "linear" in error.remedy


def current_files(folder: Path) -> dict[str, str]:
    from distml.storage import file_sha256

    return {name: file_sha256(folder / name) for name in files_below(folder) if name != MANIFEST}
