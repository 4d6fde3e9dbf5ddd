import signal
import subprocess
import sys
import threading
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from buckets import bucket
from distml.errors import StorageError
from distml.inference_log import Segments, SegmentWriter
from distml.storage import Storage

TABLE = pa.table({"x": [1, 2]})


@pytest.fixture(params=["local", "bucket"])
def storage(request, tmp_path, monkeypatch):
    if request.param == "local":
        yield Storage(tmp_path)
        return
    with bucket(monkeypatch) as uri:
        yield Storage(f"{uri}/store")


def segments_in(storage, name="shop", kind="feedback"):
    return Segments(storage=storage, name=name, kind=kind)


def test_a_segment_comes_back(storage):
    segments = segments_in(storage)
    name = SegmentWriter(segments, "node-1").write(TABLE)
    assert list(segments.names()) == [name]
    assert segments.read(name).equals(TABLE)


def test_a_name_tells_day_and_writer_and_stays_in_its_folder(tmp_path):
    storage = Storage(tmp_path)
    name = SegmentWriter(segments_in(storage), "a/../b c").write(TABLE)
    day, file = name.split("/")
    assert date.fromisoformat(day) == datetime.now(UTC).date()
    assert file.startswith("a_.._b_c-")
    assert file.endswith("-000000.parquet")
    assert storage.list(f"log/shop/feedback/{day}") == [file]


def test_writers_share_nothing_but_the_folder(tmp_path):
    segments = segments_in(Storage(tmp_path))
    writers = [SegmentWriter(segments, f"replica-{i}") for i in range(4)]
    names: list[str] = []

    def write(writer):
        for _ in range(10):
            names.append(writer.write(TABLE))

    threads = [threading.Thread(target=write, args=[writer]) for writer in writers for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(names)) == 80
    assert sorted(segments.names()) == sorted(names)


def test_a_writer_that_begins_again_replaces_nothing(tmp_path):
    segments = segments_in(Storage(tmp_path))
    names = [SegmentWriter(segments, "replica").write(TABLE) for _ in range(3)]
    assert len(set(names)) == 3 == len(list(segments.names()))


def test_models_and_kinds_are_kept_apart(tmp_path):
    storage = Storage(tmp_path)
    SegmentWriter(segments_in(storage), "r").write(TABLE)
    assert list(segments_in(storage, name="other").names()) == []
    assert list(segments_in(storage, kind="requests").names()) == []


def test_earlier_days_are_not_looked_at(tmp_path):
    storage = Storage(tmp_path)
    segments = segments_in(storage)
    name = SegmentWriter(segments, "r").write(TABLE)
    storage.write_bytes("log/shop/feedback/2020-01-01/old.parquet", b"")
    assert list(segments.names()) == ["2020-01-01/old.parquet", name]
    assert list(segments.names(since=datetime(2020, 1, 2, tzinfo=UTC))) == [name]
    assert list(segments.names(since=datetime.now(UTC) + timedelta(days=2))) == []


@pytest.mark.parametrize("at", ["fsync", "replace"])
def test_a_writer_that_is_killed_leaves_nothing_half_written(tmp_path, at):
    storage = Storage(tmp_path)
    segments = segments_in(storage)
    whole = SegmentWriter(segments, "r").write(TABLE)
    code = (
        "import os, signal, pyarrow\n"
        "from distml.inference_log import Segments, SegmentWriter\n"
        "from distml.storage import Storage\n"
        f"segments = Segments(storage=Storage({str(tmp_path)!r}), name='shop', kind='feedback')\n"
        f"os.{at} = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "SegmentWriter(segments, 'r').write(pyarrow.table({'x': [3]}))\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL
    assert list(segments.names()) == [whole]
    assert len(storage.leftovers()) == 1


def test_what_fails_to_be_written_is_no_segment(tmp_path):
    storage = Storage(tmp_path)
    storage.write_bytes("log", b"a file where a folder belongs")
    with pytest.raises(StorageError, match="storage must be writable"):
        SegmentWriter(segments_in(storage), "r").write(TABLE)


def test_files_that_are_no_segments_are_named(tmp_path):
    storage = Storage(tmp_path)
    segments = segments_in(storage)
    storage.write_bytes("log/shop/feedback/2026-01-01/damaged.parquet", b"PAR1")
    pq.write_table(TABLE, tmp_path / "log/shop/feedback/2026-01-01/foreign.parquet")
    with pytest.raises(StorageError, match=r"received no Parquet file.*damaged\.parquet"):
        segments.read("2026-01-01/damaged.parquet")
    with pytest.raises(StorageError, match=r"received format none of kind none; in .*foreign\.parquet"):
        segments.read("2026-01-01/foreign.parquet")


def test_a_segment_of_another_kind_is_refused(tmp_path):
    storage = Storage(tmp_path)
    name = SegmentWriter(segments_in(storage, kind="requests"), "r").write(TABLE)
    storage.write_bytes(f"log/shop/feedback/{name}", storage.read_bytes(f"log/shop/requests/{name}"))
    with pytest.raises(StorageError, match="received format 1 of kind requests"):
        segments_in(storage).read(name)
