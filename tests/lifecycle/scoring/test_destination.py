import contextlib
from pathlib import Path

import pytest

from distml.errors import DataError, NotFoundError, StorageError
from distml.lifecycle.scoring.destination import SUCCESS, Destination


def below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


@pytest.fixture
def destination(tmp_path):
    return Destination.parse(f"{tmp_path}/out/")


@pytest.mark.parametrize(
    ("uri", "name", "kind", "is_folder"),
    [
        ("/a/b.parquet", "b.parquet", "parquet", False),
        ("/a/b.CSV", "b.CSV", "csv", False),
        ("/a/b.c.csv", "b.c.csv", "csv", False),
        ("/a/b", "b", "parquet", True),
        ("/a/b/", "b", "parquet", True),
        ("/a/b.csv/", "b.csv", "parquet", True),
        ("/a.d/b", "b", "parquet", True),
        ("mock:///a/b.csv", "b.csv", "csv", False),
        ("mock:///a/b/", "b", "parquet", True),
    ],
)
def test_the_name_says_what_is_written(uri, name, kind, is_folder):
    found = Destination.parse(uri)
    assert (found.name, found.kind, found.is_folder) == (name, kind, is_folder)
    assert found.uri == uri.rstrip("/") + ("/" if is_folder else "")


def test_a_path_is_of_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert Destination.parse("x.csv").uri == f"{tmp_path}/x.csv"
    assert Destination.parse("~/x.csv").uri == str(Path("~/x.csv").expanduser())


@pytest.mark.parametrize("uri", ["a.txt", "a.csv.gz", "a.json", "a.", "mock:///a/b.xls"])
def test_another_ending_is_refused(uri):
    with pytest.raises(DataError, match=r"\.parquet or \.csv"):
        Destination.parse(uri)


def test_what_is_set_aside_lies_beside_a_file_and_within_a_folder():
    assert Destination.parse("/a/b.parquet").quarantine == "b.parquet.quarantine.csv"
    assert Destination.parse("/a/b/").quarantine == "b/_quarantine.csv"


# What would be lost


@pytest.mark.parametrize(
    ("out", "read"),
    [
        ("t.csv", "t.csv"),
        ("t.csv", "t.csv.quarantine.csv"),
        ("folder/", "folder/part-00000.parquet"),
        ("folder/", "folder/deep/a.csv"),
    ],
)
def test_what_is_read_is_not_written_over(tmp_path, out, read):
    with pytest.raises(DataError, match="another place"):
        Destination.parse(f"{tmp_path}/{out}").check([f"{tmp_path}/other.csv", f"{tmp_path}/{read}"])
    with pytest.raises(DataError, match="another place"):
        Destination.parse(f"mock:///a/{out}").check([f"mock:///a/{read}"])


def test_links_do_not_hide_what_is_read(tmp_path):
    (tmp_path / "t.csv").touch()
    (tmp_path / "link.csv").symlink_to(tmp_path / "t.csv")
    with pytest.raises(DataError, match="another place"):
        Destination.parse(f"{tmp_path}/link.csv").check([f"{tmp_path}/t.csv"])


def test_a_neighbour_of_a_like_name_may_be_read(tmp_path):
    Destination.parse(f"{tmp_path}/out/").check([f"{tmp_path}/out2/a.csv", f"{tmp_path}/out.csv"])


@pytest.mark.parametrize(
    "names", [["a.csv"], [".hidden"], ["part-00000.parquet"], [SUCCESS, "a"], [SUCCESS, "part-0.csv"]]
)
def test_a_folder_with_other_things_is_refused(destination, tmp_path, names):
    (tmp_path / "out").mkdir()
    for name in names:
        (tmp_path / "out" / name).touch()
    with pytest.raises(DataError, match="earlier predictions alone"):
        destination.check([])


@pytest.mark.parametrize(
    "names", [[], [SUCCESS], [SUCCESS, "part-00000.parquet", "part-123456.parquet", "_quarantine.csv"]]
)
def test_an_empty_folder_and_earlier_predictions_may_be_replaced(destination, tmp_path, names):
    (tmp_path / "out").mkdir()
    for name in names:
        (tmp_path / "out" / name).touch()
    destination.check([], overwrite=True)


@pytest.mark.parametrize(
    ("out", "taken"), [("t.csv", "t.csv"), ("t.csv", "t.csv.quarantine.csv"), ("t/", "t/_SUCCESS")]
)
def test_what_is_there_stays_unless_it_is_to_be_replaced(tmp_path, out, taken):
    (tmp_path / taken).parent.mkdir(exist_ok=True)
    (tmp_path / taken).touch()
    destination = Destination.parse(f"{tmp_path}/{out}")
    with pytest.raises(DataError, match="is there already"):
        destination.check([])
    destination.check([], overwrite=True)


def test_files_and_folders_do_not_replace_each_other(tmp_path, destination):
    (tmp_path / "t.csv").mkdir()
    with pytest.raises(DataError, match="go to a file"):
        Destination.parse(f"{tmp_path}/t.csv").check([])
    (tmp_path / "out").touch()
    with pytest.raises(DataError, match="go to a folder"):
        destination.check([])


# What shows when


@pytest.fixture(params=["local", "remote"])
def anywhere(request, destination):
    if request.param == "local":
        return destination
    remote = Destination.parse("mock:///bucket/out/")
    remote.home.make_folder()
    return remote


def fill(destination, scratch, *names):
    for name in names:
        destination.home.write_bytes(f"{scratch}/{name}", name.encode())


def interrupt(destination, work):
    """Does a piece of work in a scratch folder, and is interrupted then."""
    done = None
    with contextlib.suppress(KeyboardInterrupt), destination.scratch() as scratch:
        done = work(scratch)
        raise KeyboardInterrupt
    return done


def test_a_folder_shows_whole(anywhere):
    with anywhere.scratch() as scratch:
        fill(anywhere, scratch, "a", "b", "forgotten")
        assert anywhere.home.list() == []
        anywhere.publish_folder(scratch, {f"{scratch}/a": "part-00000.parquet", f"{scratch}/b": "b"}, {"rows": 2})
    assert anywhere.home.list(hidden=True) == ["out"]
    assert anywhere.home.list("out") == ["_SUCCESS", "b", "part-00000.parquet"]
    assert anywhere.home.read_json("out/_SUCCESS") == {"rows": 2}
    assert anywhere.home.read_bytes("out/b") == b"b"


def test_a_folder_replaces_the_one_before(anywhere):
    for names in (["a", "b"], ["a"]):
        with anywhere.scratch() as scratch:
            fill(anywhere, scratch, *names)
            anywhere.publish_folder(scratch, {f"{scratch}/{name}": name for name in names}, {})
    assert anywhere.home.list("out") == ["_SUCCESS", "a"]


def test_a_folder_that_can_not_be_filled_does_not_show(anywhere):
    with anywhere.scratch() as scratch:
        fill(anywhere, scratch, "a")
        with pytest.raises(NotFoundError):
            anywhere.publish_folder(scratch, {f"{scratch}/a": "a", f"{scratch}/gone": "b"}, {})
    assert anywhere.home.list(hidden=True) == []


def test_an_error_leaves_nothing_and_takes_nothing(anywhere):
    anywhere.home.make_folder("out")
    anywhere.home.write_bytes("out/old", b"")
    interrupt(anywhere, lambda scratch: fill(anywhere, scratch, "a"))
    assert anywhere.home.list(hidden=True) == ["out"]
    assert anywhere.home.list("out") == ["old"]


def test_who_still_writes_into_a_scratch_folder_leaves_nothing(destination, tmp_path):
    stream, scratch = interrupt(destination, lambda scratch: (destination.home.open_output(f"{scratch}/a"), scratch))
    stream.write(b"late")
    stream.close()
    with pytest.raises(StorageError):
        destination.home.open_output(f"{scratch}/b")
    assert below(tmp_path) == set()


def test_folders_that_were_made_for_it_go_again(tmp_path):
    interrupt(Destination.parse(f"{tmp_path}/new/t.csv"), lambda scratch: None)
    assert below(tmp_path) == set()


def test_a_part_that_is_not_there_is_told(anywhere):
    with anywhere.scratch() as scratch:
        fill(anywhere, scratch, "a")
        anywhere.check_arrived([f"{scratch}/a"])
        with pytest.raises(StorageError, match="every worker writes to the same storage"):
            anywhere.check_arrived([f"{scratch}/a", f"{scratch}/b"])
