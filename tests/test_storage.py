import errno
import os
import pickle
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from distml.errors import ConflictError, NotFoundError, StorageError
from distml.storage import Storage, Usage, contained, content_hash, dump_json, file_sha256


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(tmp_path / "store")


def everything_below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@pytest.mark.parametrize("key", ["a", "a/b.json", "a/.b", "a..b", "..."])
def test_a_relative_key_stays(key):
    assert contained(key) == key


@pytest.mark.parametrize("key", ["/a", "..", "a/../b", "../a", "a/..", "a\\b", "a\0b"])
def test_a_key_that_would_leave_is_refused(storage, key):
    with pytest.raises(StorageError, match="stays inside") as caught:
        storage.read_bytes(key)
    assert caught.value.received == key
    for use in (storage.uri, storage.exists, storage.list, storage.delete, lambda k: storage.write_bytes(k, b"")):
        with pytest.raises(StorageError, match="stays inside"):
            use(key)


def test_bytes_come_back(storage):
    storage.write_bytes("a/b/c.bin", b"\0\xff")
    assert storage.read_bytes("a/b/c.bin") == b"\0\xff"
    storage.write_bytes("a/b/c.bin", b"")
    assert storage.read_bytes("a/b/c.bin") == b""


def test_json_comes_back(storage):
    value = {"b": [1, 2.5, None, "ü"], "a": {"nested": True}}
    storage.write_json("x.json", value)
    assert storage.read_json("x.json") == value


def test_a_record_that_is_damaged_is_named(storage):
    storage.write_bytes("runs/a/run.json", b'{"run": ')
    with pytest.raises(StorageError, match=r"no JSON: .*runs/a/run\.json"):
        storage.read_json("runs/a/run.json")


def test_uri_and_root(tmp_path):
    assert Storage(f"file://{tmp_path}").root == Storage(tmp_path).root == str(tmp_path)
    assert Storage(tmp_path).uri("a/b") == f"{tmp_path}/a/b"
    assert Storage(tmp_path).uri() == str(tmp_path)


def test_pickles(storage):
    storage.write_bytes("a", b"1")
    assert pickle.loads(pickle.dumps(storage)).read_bytes("a") == b"1"


def test_an_unknown_scheme_is_refused():
    with pytest.raises(StorageError) as caught:
        Storage("nope://bucket/x")
    assert caught.value.received == "nope://bucket/x"


def test_reading_what_is_not_there(storage):
    with pytest.raises(NotFoundError) as caught:
        storage.read_bytes("a/b")
    assert caught.value.received == "a/b"
    assert not storage.exists("a/b")
    assert storage.list("a") == []
    storage.delete("a/b")


def test_reading_a_folder_is_refused(storage):
    storage.write_bytes("a/b", b"")
    with pytest.raises(StorageError, match="must be readable"):
        storage.read_bytes("a")


def test_list_is_sorted_and_hides_dotted_names(storage):
    for key in ("f/b", "f/a/x", "f/.hidden", "g"):
        storage.write_bytes(key, b"")
    assert storage.list("f") == ["a", "b"]
    assert storage.list("f", hidden=True) == [".hidden", "a", "b"]
    assert storage.list() == ["f", "g"]


def test_delete_takes_files_and_folders(storage):
    storage.write_bytes("f/a", b"")
    storage.write_bytes("f/b/c", b"")
    storage.delete("f/a")
    assert storage.list("f") == ["b"]
    storage.delete("f")
    assert not storage.exists("f")


def test_a_failing_writer_leaves_the_old_content_and_nothing_else(storage):
    storage.write_bytes("f/a", b"old")
    with pytest.raises(TypeError):
        storage.write_bytes("f/a", "not bytes")
    storage.write_bytes("f/folder/x", b"old")
    with pytest.raises(StorageError, match="must be writable"):
        storage.write_bytes("f/folder", b"a file can't replace a folder")
    assert storage.read_bytes("f/a") == b"old"
    assert everything_below(Path(storage.root)) == {"f", "f/a", "f/folder", "f/folder/x"}


def test_files_get_the_permissions_of_any_file(storage, tmp_path):
    usual = tmp_path / "usual"
    usual.write_bytes(b"")
    storage.write_bytes("a", b"")
    with storage.new_folder("f") as folder:
        (folder / "x").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    assert os.stat(storage.uri("a")).st_mode == usual.stat().st_mode
    assert os.stat(storage.uri("f")).st_mode == (tmp_path / "folder").stat().st_mode


@pytest.mark.parametrize("root", ["file/below", "file"])
def test_a_root_that_cannot_be_a_folder_is_refused(tmp_path, root):
    (tmp_path / "file").write_bytes(b"")
    storage = Storage(tmp_path / root)
    with pytest.raises(StorageError, match="must be writable") as caught:
        storage.check_writable()
    assert caught.value.where == str(tmp_path / root)
    assert "storage" in caught.value.remedy
    with pytest.raises(StorageError, match="must be writable"):
        storage.swap_json("r", 0, {})
    with pytest.raises(StorageError, match="must be writable"), storage.new_folder("f"):
        pass


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_refused(tmp_path):
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    with pytest.raises(StorageError, match="must be writable"):
        Storage(tmp_path).check_writable()


def test_check_writable_leaves_nothing(storage):
    storage.check_writable()
    assert everything_below(Path(storage.root)) == set()


def test_a_new_folder_appears_when_the_block_ends(storage):
    with storage.new_folder("runs/a") as folder:
        (folder / "x").write_bytes(b"1")
        assert not storage.exists("runs/a")
        assert storage.list("runs") == []
    assert storage.read_bytes("runs/a/x") == b"1"
    assert everything_below(Path(storage.root)) == {"runs", "runs/a", "runs/a/x"}


def test_a_new_folder_replaces_the_old_one_whole(storage):
    storage.write_bytes("f/old", b"")
    with storage.new_folder("f") as folder:
        (folder / "new").write_bytes(b"")
    assert everything_below(Path(storage.root)) == {"f", "f/new"}


def test_a_full_disk_is_said_of_the_folder(storage):
    with pytest.raises(StorageError, match=r"storage must be writable.*No space left"), storage.new_folder("a/b"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert not storage.exists("a/b")
    assert storage.leftovers() == ()


def test_a_failing_block_publishes_nothing(storage):
    storage.write_bytes("f/old", b"")
    with pytest.raises(FileNotFoundError), storage.new_folder("f") as folder:
        (folder / "none" / "new").write_bytes(b"")
    assert everything_below(Path(storage.root)) == {"f", "f/old"}


@pytest.fixture(params=["local", "remote"])
def anywhere(request, tmp_path: Path) -> Storage:
    """Storage on disk, and on a filesystem of pyarrow's that is none."""
    storage = Storage(tmp_path / "store" if request.param == "local" else "mock:///bucket/store")
    storage.make_folder()
    return storage


def test_a_stream_is_written_under_another_name_and_renamed(anywhere):
    anywhere.write_bytes("f", b"old")
    with anywhere.open_output(".new") as stream:
        stream.write(b"one, ")
        stream.write(b"two")
        assert anywhere.read_bytes("f") == b"old"
    anywhere.rename(".new", "f")
    assert anywhere.list(hidden=True) == ["f"]
    with anywhere.open_input("f") as stream:
        assert stream.read() == b"one, two"


def test_a_folder_is_made_with_those_above_it(anywhere):
    anywhere.make_folder("a/b")
    anywhere.make_folder("a/b")
    assert anywhere.list("a") == ["b"]


def test_a_renamed_folder_replaces_the_old_one_whole(storage):
    storage.write_bytes("f/old", b"")
    storage.write_bytes(".new/new", b"")
    storage.rename(".new", "f")
    assert everything_below(Path(storage.root)) == {"f", "f/new"}


def test_a_file_does_not_replace_a_folder(storage):
    storage.write_bytes("f/old", b"")
    storage.write_bytes("new", b"")
    with pytest.raises(StorageError, match="must be writable"):
        storage.rename("new", "f")
    assert everything_below(Path(storage.root)) == {"f", "f/old", "new"}


def test_streams_say_what_is_wrong(anywhere):
    with pytest.raises(NotFoundError, match="no such file"):
        anywhere.open_input("a")
    with pytest.raises(StorageError, match="must be writable"):
        anywhere.open_output("no/folder/a")
    with pytest.raises(NotFoundError, match="no such file"):
        anywhere.rename("a", "b")
    anywhere.write_bytes("a", b"")
    with pytest.raises(StorageError, match="must be writable"):
        anywhere.make_folder("a/b")


def test_local_folder_is_the_folder_itself(storage):
    storage.write_bytes("f/a", b"1")
    with storage.local_folder("f") as folder:
        assert (folder / "a").read_bytes() == b"1"
    with pytest.raises(NotFoundError), storage.local_folder("g"):
        pass


def test_swapping_counts_up(storage):
    assert storage.read_swapped("r") == (0, None)
    for revision in range(1, 13):
        assert storage.swap_json("r", revision - 1, {"n": revision}) == revision
        assert storage.read_swapped("r") == (revision, {"n": revision})
    assert len(storage.list("r")) == 12


def test_an_old_revision_is_refused(storage):
    storage.swap_json("r", 0, {"by": "a"})
    with pytest.raises(ConflictError) as caught:
        storage.swap_json("r", 0, {"by": "b"})
    assert caught.value.received == "revision 0 is no longer the newest"
    assert storage.read_swapped("r") == (1, {"by": "a"})


def test_of_many_writers_one_wins_each_revision(storage):
    def swap(revision: int, writer: int) -> bool:
        try:
            return storage.swap_json("r", revision, {"by": writer}) == revision + 1
        except ConflictError:
            return False

    with ThreadPoolExecutor(8) as pool:
        for revision in range(10):
            won = list(pool.map(lambda writer, r=revision: swap(r, writer), range(8)))
            assert won.count(True) == 1
            assert storage.read_swapped("r") == (revision + 1, {"by": won.index(True)})
    assert everything_below(Path(storage.root)) == {"r", *(f"r/{i:06d}.json" for i in range(1, 11))}


def test_writers_of_one_key_leave_one_whole_content(storage):
    contents = [bytes([i]) * 100_000 for i in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda content: storage.write_bytes("a", content), contents * 5))
    assert storage.read_bytes("a") in contents
    assert everything_below(Path(storage.root)) == {"a"}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1, "a": 2}, '{\n  "a": 2,\n  "b": 1\n}'),
        ([np.float64(0.5), np.int64(3), np.array([1, 2])], "[\n  0.5,\n  3,\n  [\n    1,\n    2\n  ]\n]"),
        ({1: None}, '{\n  "1": null\n}'),
        (float("nan"), "null"),
    ],
)
def test_dump_json(value, text):
    assert dump_json(value).decode() == text


def test_content_hash_is_of_values_and_their_bounds():
    assert content_hash({"a": 1, "b": 2}) == content_hash({"b": 2, "a": 1})
    different = [content_hash(), content_hash(1), content_hash(1, 2), content_hash(12), content_hash("1"),
                 content_hash([1]), content_hash(None), content_hash(b"x"), content_hash(b"x", b"")]  # fmt: skip
    assert len(set(different)) == len(different)
    assert all(len(digest) == 16 for digest in different)


def test_file_sha256(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert file_sha256(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


# What there is


def test_usage_counts_files_and_bytes(storage):
    storage.write_bytes("a/b/c.bin", b"12345")
    storage.write_bytes("a/d.bin", b"67")
    found = storage.usage("a")
    assert (found.num_files, found.num_bytes) == (2, 7)
    assert storage.usage("a/d.bin") == replace(storage.usage("a/d.bin"), num_files=1, num_bytes=2)
    assert storage.usage().num_bytes == 7


def test_usage_of_what_is_not_there_is_nothing(storage):
    assert storage.usage("a") == Usage(num_files=0, num_bytes=0, changed_at=0.0)


def test_a_folder_was_changed_when_its_newest_part_was(storage):
    storage.write_bytes("a/b/old.bin", b"")
    storage.write_bytes("a/new.bin", b"")
    for name, at in {"a/b/old.bin": 100, "a/new.bin": 300, "a/b": 200, "a": 250}.items():
        os.utime(storage.uri(name), (at, at))
    assert [storage.usage(key).changed_at for key in ("a", "a/b", "a/b/old.bin")] == [300, 200, 100]


def test_an_empty_folder_was_changed_when_it_was_made(storage):
    with storage.new_folder("a/b") as folder:
        assert storage.usage(f"a/{folder.name}").changed_at == folder.stat().st_mtime > 0


def test_usage_where_storage_is_not_local():
    remote = Storage("mock:///store")
    assert remote.usage("a") == Usage(num_files=0, num_bytes=0, changed_at=0.0)
    remote._fs.create_dir("store/a/b")
    for key, content in {"a/b/c.bin": b"12345", "a/d.bin": b"67"}.items():
        remote.write_bytes(key, content)
    assert (remote.usage("a").num_files, remote.usage("a").num_bytes) == (2, 7)
    assert remote.usage("a/d.bin").num_bytes == 2
    assert remote.leftovers() == ()


def test_leftovers_are_what_no_listing_shows(storage):
    storage.write_bytes("a/whole.bin", b"")
    assert storage.leftovers() == ()
    with storage.new_folder("a/b/folder") as folder:
        within = folder / ".tmp-within"
        within.touch()
        assert storage.leftovers() == (f"a/b/{folder.name}",)
        within.unlink()
    half = Path(storage.uri("a/.tmp-0123"))
    half.touch()
    Path(storage.uri(".probe-4567")).touch()
    assert storage.leftovers() == (".probe-4567", "a/.tmp-0123")
    assert storage.list("a") == ["b", "whole.bin"]


def test_files_written_in_passing_are_made_durable(tmp_path, monkeypatch):
    storage = Storage(tmp_path)
    synced: list[str] = []
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: (synced.append(os.readlink(f"/proc/self/fd/{fd}")), fsync(fd)))
    storage.write_bytes("a/b/one", b"1", durable=False)
    storage.write_bytes("a/two", b"2", durable=False)
    storage.write_bytes("other", b"3", durable=False)
    assert synced == []
    storage.make_durable("a")
    assert sorted(synced) == [str(tmp_path / "a/b/one"), str(tmp_path / "a/two")]
    assert storage.read_bytes("a/b/one") == b"1"
    storage.make_durable("absent")


def test_room_is_looked_for_where_the_disk_is(tmp_path):
    storage = Storage(tmp_path / "not yet there")
    storage.check_room(1, "a/b")
    with pytest.raises(StorageError, match=r"received 1000000.0 TB to write, .* free") as told:
        storage.check_room(10**18, "a/b")
    assert told.value.where == storage.uri("a/b")
    assert "free space there" in told.value.remedy
    assert not (tmp_path / "not yet there").exists()


def test_a_full_disk_says_what_to_do(tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="No space left on device") as told:
        Storage(tmp_path).write_bytes("a/b", b"c")
    assert "free space there" in told.value.remedy
    assert list((tmp_path / "a").iterdir()) == [], "nothing is left half-written"
