"""Tables on S3, against a server that speaks it."""

import gzip

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from distml.config import SourceConfig
from distml.errors import DataError
from distml.reading import lines, ranges
from distml.reading.handed import keep
from distml.reading.source import fingerprint, list_fragments, read_fragment, read_head
from distml.reading.survey import survey
from distml.storage import Storage


@pytest.fixture(scope="module")
def endpoint():
    server = pytest.importorskip("moto.server").ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


@pytest.fixture
def bucket(endpoint, monkeypatch):
    """A filesystem in which the folder `bucket` is to be written."""
    import pyarrow.fs

    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "us-east-1"}
    for name, value in {**keys, "AWS_EC2_METADATA_DISABLED": "true", "AWS_ENDPOINT_URL": endpoint}.items():
        monkeypatch.setenv(name, value)
    filesystem = pyarrow.fs.S3FileSystem(endpoint_override=endpoint, region="us-east-1", allow_bucket_creation=True)
    filesystem.create_dir("bucket")
    for year, content in ((2023, b"x,y\n1,2\n"), (2024, b"x,y\n3,4\n")):
        write(filesystem, f"in/year={year}/t.csv", content)
    return filesystem


def write(filesystem, path: str, content: bytes) -> None:
    with filesystem.open_output_stream(f"bucket/{path}", compression=None) as stream:
        stream.write(content)


def rows(uri: str) -> list[dict]:
    source = SourceConfig(uri=uri)
    return [row for part in list_fragments(source) for t in read_fragment(part, source) for row in t.to_pylist()]


ALL = [{"x": "1", "y": "2", "year": 2023}, {"x": "3", "y": "4", "year": 2024}]


@pytest.mark.parametrize("path", ["in", "in/", "in/**/*.csv", "in/year=*/t.csv", "in/year=202?/*", "in/year=202[34]/*"])
def test_folders_and_patterns(bucket, path):
    assert rows(f"s3://bucket/{path}") == ALL


def test_a_pattern_beside_settings_of_the_address(bucket, endpoint, monkeypatch):
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    host = endpoint.removeprefix("http://")
    assert rows(f"s3://bucket/in/*/t.csv?endpoint_override={host}&scheme=http&region=us-east-1") == ALL


def test_formats(bucket):
    write(bucket, "f/a.csv.gz", gzip.compress(b"x\n1\n"))
    write(bucket, "f/a.jsonl", b'{"x": 1}\n')
    pq.write_table(pa.table({"x": [1]}), "bucket/f/a.parquet", filesystem=bucket)
    assert [rows(f"s3://bucket/f/{name}") for name in ("a.csv.gz", "a.jsonl", "a.parquet")] == [
        [{"x": "1"}], [{"x": 1}], [{"x": 1}],
    ]  # fmt: skip


def test_ranges(bucket, monkeypatch):
    monkeypatch.setattr(ranges, "SPLIT_BYTES", 1 << 16)
    monkeypatch.setattr(ranges, "RANGE_BYTES", 1 << 16)
    monkeypatch.setattr(lines.read_blocks, "__defaults__", (1 << 18,))
    write(bucket, "large/t.csv", b"x,y\n" + b'"1\n",2\n' * 100_000)
    source = SourceConfig(uri="s3://bucket/large/t.csv")
    parts = list_fragments(source)
    assert len(parts) > 2
    assert sum(t.num_rows for part in parts for t in read_fragment(part, source)) == 100_000


@pytest.mark.parametrize("path", ["bucket/none", "bucket/in/*.parquet", "no-such-bucket/x"])
def test_nothing_there(bucket, path):
    with pytest.raises(DataError, match="at least one file") as caught:
        rows(f"s3://{path}")
    assert f"s3://{path}" in caught.value.received


def test_a_store_that_is_not_there(bucket, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(DataError, match="can be reached") as caught:
        rows("s3://bucket/in")
    assert caught.value.where == "s3://bucket/in"


def test_a_look_and_a_fingerprint(bucket):
    found = survey("s3://bucket/in", target="year")
    assert [file.names for file in found.files] == [("x", "y", "year")] * 2
    source = SourceConfig(uri="s3://bucket/in")
    assert read_head(source, 1).to_pylist() == ALL[:1]
    before = fingerprint(source)
    write(bucket, "in/year=2024/t.csv", b"x,y\n3,4\n5,6\n")
    assert fingerprint(source) != before


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_images_and_their_labels(bucket, ending):
    pack = gzip.compress if ending else bytes
    write(bucket, f"mnist/a-images-idx3-ubyte{ending}", pack(bytes([0, 0, 8, 3, *_SIZES, *range(8)])))
    write(bucket, f"mnist/a-labels-idx1-ubyte{ending}", pack(bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 9])))
    source = SourceConfig(
        uri=f"s3://bucket/mnist/a-images-idx3-ubyte{ending}", labels=f"s3://bucket/mnist/a-labels-idx1-ubyte{ending}"
    )
    (fragment,) = list_fragments(source)
    (table,) = read_fragment(fragment, source)
    assert table.column("label").to_pylist() == [7, 9]
    assert table.column("image").combine_chunks().storage.flatten().to_pylist() == list(range(8))


_SIZES = [0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 2]


def test_a_folder_of_images(bucket):
    for path in ("images/cat/a.png", "images/dog/b.png"):
        write(bucket, path, path.encode())
    write(bucket, "labels.csv", b"path,kind\ndog/b.png,x\n")
    source = SourceConfig(uri="s3://bucket/images", format="images")
    for told, expected in (
        (source, [("cat/a.png", "cat"), ("dog/b.png", "dog")]),
        (source.model_copy(update={"labels": "s3://bucket/labels.csv"}), [("dog/b.png", "x")]),
    ):
        (fragment,) = list_fragments(told)
        (table,) = read_fragment(fragment, told)
        assert list(zip(table.column("path").to_pylist(), table.column(2).to_pylist(), strict=True)) == expected
        assert table.column("image").to_pylist()[-1] == b"images/dog/b.png"


def test_a_table_handed_in_from_python(bucket):
    storage = Storage("s3://bucket/store")
    table = pa.table({"x": [1, 2, None], "y": ["a", None, "b"]})
    source = keep(table, storage)
    assert [t.equals(table) for part in list_fragments(source) for t in read_fragment(part, source)] == [True]
    before = fingerprint(source)
    assert keep(table, storage) == source and fingerprint(source) == before
    assert len(storage.list("tables")) == 1
