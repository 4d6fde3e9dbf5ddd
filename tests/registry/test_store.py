from datetime import datetime

import pytest

from contracts.registry import RegistryContract, at_once, register
from distml.errors import StorageError
from distml.registry import StoreRegistry
from distml.storage import Storage


class TestStoreRegistry(RegistryContract):
    @pytest.fixture
    def registry(self, tmp_path):
        return StoreRegistry(Storage(tmp_path))


@pytest.fixture
def filled(tmp_path):
    registry = StoreRegistry(Storage(tmp_path))
    register(registry, "a")
    register(registry, "b")
    registry.promote("churn", 2, expected=None, reasons=("first",))
    return registry


def test_another_process_sees_the_same(filled, tmp_path):
    other = StoreRegistry(Storage(tmp_path))
    assert other.versions("churn") == filled.versions("churn")
    assert other.champion("churn") == filled.champion("churn")
    assert other.audit("churn") == filled.audit("churn")


def test_every_change_is_a_file_of_its_own(filled, tmp_path):
    home = tmp_path / "models" / "churn"
    names = {folder.name: sorted(file.name for file in folder.iterdir()) for folder in home.iterdir()}
    assert names == {
        "versions": ["000001.json", "000002.json"],
        "champion": ["000001.json"],
        "audit": ["000001.json", "000002.json", "000003.json"],
    }


def test_the_log_misses_nothing_that_was_done(filled, tmp_path):
    """A process may die between a change and its entry in the audit log."""
    whole = filled.audit("churn")
    for entry in ("000001", "000003"):
        (tmp_path / "models" / "churn" / "audit" / f"{entry}.json").unlink()
    found = filled.audit("churn")

    def name(entry):
        return (entry.action, entry.version)

    assert sorted(found, key=name) == sorted(whole, key=name)
    assert [entry.at for entry in found] == sorted(entry.at for entry in found)


def test_what_happened_when_is_known(filled):
    times = [datetime.fromisoformat(decision.at) for decision in filled.audit("churn")]
    assert times == sorted(times)
    assert all(time.tzinfo for time in times)
    assert all(datetime.fromisoformat(version.created_at).tzinfo for version in filled.versions("churn"))


def test_more_than_nine_versions_stay_in_order(tmp_path):
    registry = StoreRegistry(Storage(tmp_path))
    for i in range(12):
        register(registry, f"p{i}")
    assert [version.number for version in registry.versions("churn")] == list(range(1, 13))
    assert len(registry.audit("churn")) == 12


def test_writers_with_a_storage_each_get_each_number_once(tmp_path):
    versions = at_once(lambda i: register(StoreRegistry(Storage(tmp_path)), f"p{i}"))
    assert sorted(version.number for version in versions) == list(range(1, 9))


@pytest.mark.parametrize("name", ["../churn", "../../churn"])
def test_a_name_stays_inside_storage(tmp_path, name):
    with pytest.raises(StorageError):
        register(StoreRegistry(Storage(tmp_path / "store")), "a", name=name)
    assert not (tmp_path / "churn").exists()
