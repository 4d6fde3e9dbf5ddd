"""What of a working directory is sent with a job, and how large that is."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from distml.cluster.working_dir import LIMIT_BYTES, Size, excludes, paths_of, size
from distml.config import parse_config


def fill(root: Path, *names: str, num_bytes: int = 10) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * num_bytes)


def sent(root: Path, patterns: list[str]) -> Path:
    """The zip that Ray makes."""
    from ray._private.ray_constants import get_runtime_env_default_excludes
    from ray._private.runtime_env.packaging import create_package

    target = root.parent / "sent.zip"
    create_package(str(root), target, include_gitignore=True, excludes=[*get_runtime_env_default_excludes(), *patterns])
    return target


def names_in(package: Path) -> set[str]:
    with zipfile.ZipFile(package) as file:
        return set(file.namelist())


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    fill(folder, "configs/a.yaml", "jobs/run.py", "my pkg/nets.py", "my pkg/data/table.py")
    return folder


KEPT = {"configs/a.yaml", "jobs/run.py", "my pkg/nets.py", "my pkg/data/table.py"}


def test_environments_caches_data_and_storage_stay_here(root):
    fill(root, "env-3.11/pyvenv.cfg", "env-3.11/lib/x.py", "tools/conda/conda-meta/history", "tools/conda/bin/python")
    fill(root, ".git/objects/a", "my pkg/__pycache__/nets.pyc", ".mypy_cache/x", "data/a.csv", "distml-store/runs/r")
    assert names_in(sent(root, excludes(root))) == KEPT


def test_a_link_to_an_environment_stays_here(root, tmp_path):
    fill(tmp_path / "elsewhere", "pyvenv.cfg", "lib/x.py")
    (root / "env").symlink_to(tmp_path / "elsewhere")
    assert "/env" in excludes(root)
    assert names_in(sent(root, excludes(root))) == KEPT


def test_storage_and_tables_that_a_config_names_stay_here(root):
    fill(root, "store [1]/runs/r", "tables/a.csv", "tables/a.py", "tables/deep/b.csv", "test.csv", "#odd/x", "[a]b")
    own = ["./store [1]", "tables/**/*.csv", str(root / "test.csv"), "#odd", "[a]b", "../outside", "."]
    assert names_in(sent(root, excludes(root, own))) == KEPT | {"tables/a.py"}


@pytest.mark.parametrize("path", ["a*b", "what?", "back\\slash", "!bang", "trailing ", "[x]"])
def test_the_name_of_an_environment_is_not_a_pattern(root, path):
    fill(root, f"{path}/pyvenv.cfg", "axb/x", "whatx/x", "x/x")
    assert names_in(sent(root, excludes(root))) == KEPT | {"axb/x", "whatx/x", "x/x"}


def test_paths_of_a_config_are_those_of_its_storage_and_tables():
    config = parse_config(
        "{name: a, storage: file:///mnt/store, data: {target: y, source: {uri: t/*.csv}, test: {uri: 's3://b/t.csv'}}}"
    )
    assert paths_of(config) == ["/mnt/store", "t/*.csv"]


def test_labels_and_database_files_are_paths_of_a_config_too():
    idx = "{uri: a-images-idx3-ubyte, labels: a-labels-idx1-ubyte}"
    database = "{uri: 'sql:sqlite:///rows.db', query: SELECT 1}"
    config = parse_config(f"{{name: a, storage: 's3://b/store', data: {{target: y, source: {idx}, test: {database}}}, "
                          "tracking: {uri: 'http://h'}}")  # fmt: skip
    assert paths_of(config) == ["a-images-idx3-ubyte", "a-labels-idx1-ubyte", "rows.db"]


def test_the_size_is_that_of_the_package_ray_makes(root):
    fill(root, "a.bin", num_bytes=70_000)
    fill(root, "ignored/b.bin", "sub/c.bin", "sub/rayed/d.bin", "ünïcode.txt", num_bytes=5_000)
    (root / "empty").mkdir()
    (root / ".gitignore").write_text("ignored/\n")
    (root / "sub" / ".rayignore").write_text("rayed\n")
    patterns = excludes(root)
    package = sent(root, patterns)
    found = size(root, patterns)
    assert found.num_bytes == package.stat().st_size
    assert found.num_files == len([name for name in names_in(package) if name != "ignored/"])
    assert found.is_complete and found.fits
    assert found.largest[0] == ("a.bin", 70_000 + 76 + 2 * len("a.bin"))
    assert "ignored/b.bin" not in dict(found.largest)


def test_parts_are_summed_two_folders_deep(root):
    fill(root, "w/x/1/a", "w/x/2/b", "w/y", num_bytes=1_000)
    assert [name for name, _ in size(root, excludes(root), num_largest=2).largest] == ["w/x", "w/y"]


def test_counting_ends_far_past_the_limit(root):
    for number in range(3):
        with open(root / f"{number}.bin", "wb") as file:
            file.truncate(11 * LIMIT_BYTES)
    found = size(root, excludes(root))
    assert not found.is_complete and not found.fits
    assert found.num_bytes > 20 * LIMIT_BYTES
    assert found.in_words().startswith("over 2.")
    assert "0.bin 1.2 GB" in found.largest_in_words()


@pytest.mark.parametrize(("num_bytes", "fits"), [(LIMIT_BYTES - 1, True), (LIMIT_BYTES, False)])
def test_the_limit_itself_is_too_much(num_bytes, fits):
    assert Size(num_bytes=num_bytes, num_files=1, largest=()).fits is fits
