import gzip
import struct
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from distml.config import SourceConfig
from distml.errors import DataError
from distml.images import pixels_of
from distml.reading import idx
from distml.reading.source import fingerprint, list_fragments, read_fragment, read_head

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (7, 3, 4), np.uint8)
LABELS = np.arange(7, dtype=np.uint8)


def as_idx(values: np.ndarray, kind: int = 0x08) -> bytes:
    return bytes([0, 0, kind, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape) + values.tobytes()


def pair(folder: Path, images: bytes, labels: bytes | None = None, ending: str = "") -> SourceConfig:
    """Writes a file of images, and one of labels."""
    write = gzip.compress if ending == ".gz" else bytes
    image_path, label_path = folder / f"images-idx3-ubyte{ending}", folder / f"labels-idx1-ubyte{ending}"
    image_path.write_bytes(write(images))
    if labels is not None:
        label_path.write_bytes(write(labels))
    return SourceConfig(uri=str(image_path), labels=None if labels is None else str(label_path))


def read(source: SourceConfig) -> pa.Table:
    return pa.concat_tables([block for part in list_fragments(source) for block in read_fragment(part, source)])


def refused(source: SourceConfig) -> str:
    with pytest.raises(DataError) as caught:
        read(source)
    assert "Remedy: " in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize("shape", [(7, 3, 4), (7, 2, 2, 3)])
def test_images_and_labels(tmp_path, ending, shape):
    pixels = RNG.integers(0, 256, shape, np.uint8)
    table = read(pair(tmp_path, as_idx(pixels), as_idx(LABELS), ending))
    assert table.schema.types == [pa.fixed_shape_tensor(pa.uint8(), shape[1:]), pa.int64()]
    assert np.array_equal(pixels_of(table.column("image")).reshape(shape), pixels)
    assert table.column("label").to_pylist() == LABELS.tolist()


@pytest.mark.parametrize(("kind", "dtype"), [(0x09, ">i1"), (0x0B, ">i2"), (0x0C, ">i4")])
def test_labels_are_whole_numbers_of_any_size(tmp_path, kind, dtype):
    labels = np.array([-1, 0, 1, 2, 3, 4, 100]).astype(dtype)
    table = read(pair(tmp_path, as_idx(PIXELS), as_idx(labels, kind)))
    assert table.column("label").to_pylist() == labels.tolist()


def test_images_alone(tmp_path):
    table = read(pair(tmp_path, as_idx(PIXELS)))
    assert table.column_names == ["image"] and table.num_rows == 7


def test_no_image_at_all(tmp_path):
    table = read(pair(tmp_path, as_idx(PIXELS[:0]), as_idx(LABELS[:0])))
    assert table.num_rows == 0 and table.column_names == ["image", "label"]


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_runs_and_blocks_have_every_image_once(tmp_path, monkeypatch, ending):
    monkeypatch.setattr(idx, "_FRAGMENT_BYTES", 30)
    monkeypatch.setattr(idx, "_BLOCK_BYTES", 25)  # two images
    source = pair(tmp_path, as_idx(PIXELS), as_idx(LABELS), ending)
    fragments = list_fragments(source)
    assert [fragment.num_rows for fragment in fragments] == ([7] if ending else [3, 4])
    assert [fragment.index for fragment in fragments] == list(range(len(fragments)))
    blocks = [block for fragment in fragments for block in read_fragment(fragment, source)]
    assert max(block.num_rows for block in blocks) == 2
    table = pa.concat_tables(blocks)
    assert np.array_equal(pixels_of(table.column("image"))[..., 0], PIXELS)
    assert table.column("label").to_pylist() == LABELS.tolist()


def test_the_head(tmp_path):
    assert read_head(pair(tmp_path, as_idx(PIXELS), as_idx(LABELS)), 2).column("label").to_pylist() == [0, 1]


def test_other_labels_are_another_source(tmp_path):
    source = pair(tmp_path, as_idx(PIXELS), as_idx(LABELS))
    before = fingerprint(source)
    pair(tmp_path, as_idx(PIXELS), as_idx(np.append(LABELS[1:], LABELS[:1])))
    assert fingerprint(source) != before


@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize(
    ("images", "labels", "said"),
    [
        (as_idx(PIXELS)[:-1], as_idx(LABELS), "1 bytes fewer; in .*images.*cut off"),
        (as_idx(PIXELS), as_idx(LABELS)[:-2], "2 bytes fewer; in .*labels.*cut off"),
        (as_idx(PIXELS)[:9], as_idx(LABELS), "7 bytes fewer; in .*images"),
        (as_idx(PIXELS)[:3], as_idx(LABELS), "received bytes 00 00 08; in .*images"),
        (b"", as_idx(LABELS), "received bytes none; in .*images"),
        (b"PK\3\4 and more", as_idx(LABELS), "received bytes 50 4b 03 04; in .*images"),
        (as_idx(PIXELS), b"label\n1\n2\n", "received bytes 6c 61 62 65; in .*labels"),
        (as_idx(PIXELS), as_idx(LABELS[:5]), "received 7 images, 5 labels; in .*images.* and .*labels"),
        (as_idx(LABELS), as_idx(PIXELS), "3 or 4 dimensions; received type 0x08, dimensions 7; in .*images"),
        (as_idx(PIXELS.astype(">f4"), 0x0D), as_idx(LABELS), "type 0x0D, dimensions 7 x 3 x 4; in .*images"),
        (as_idx(PIXELS), as_idx(PIXELS), "labels are an idx file of whole numbers .*in .*labels"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_the_file(tmp_path, images, labels, said, ending):
    source = pair(tmp_path, images, labels, ending)
    with pytest.raises(DataError, match=said):
        read(source)


def test_a_compressed_file_that_is_cut_off(tmp_path):
    source = pair(tmp_path, as_idx(RNG.integers(0, 256, (100, 28, 28), np.uint8)), ending=".gz")
    path = Path(source.uri)
    path.write_bytes(path.read_bytes()[:20_000])
    assert "images-idx3-ubyte.gz" in refused(source)
    path.write_bytes(b"no gzip")
    assert "a compressed file is whole" in refused(source)


def test_labels_of_several_files_are_refused(tmp_path):
    source = pair(tmp_path, as_idx(PIXELS), as_idx(LABELS))
    (tmp_path / "more-images-idx3-ubyte").write_bytes(as_idx(PIXELS))
    assert "belongs to one file" in refused(source.model_copy(update={"uri": f"{tmp_path}/*images-idx3-ubyte"}))
    both = SourceConfig(uri=f"{tmp_path}/*images-idx3-ubyte")
    assert read(both).num_rows == 14


def test_labels_of_what_are_no_images_are_refused(tmp_path):
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n")
    assert "`labels` belongs to images" in refused(SourceConfig(uri=f"{tmp_path}/rows.csv", labels="labels.csv"))
    with pytest.raises(ValueError, match="`labels` belongs to images"):
        SourceConfig(uri="rows.csv", format="csv", labels="labels.csv")


def test_mnist(shared_data):
    folder = shared_data / "mnist"
    source = SourceConfig(
        uri=str(folder / "train-images-idx3-ubyte.gz"), labels=str(folder / "train-labels-idx1-ubyte.gz")
    )
    table = read(source)
    assert table.num_rows == 60_000
    assert table.column("label").slice(0, 8).to_pylist() == [5, 0, 4, 1, 9, 2, 1, 3]
    pixels = pixels_of(table.column("image"))
    assert (round(pixels.mean() / 255, 5), round(pixels.std() / 255, 5)) == (0.13066, 0.30811)  # as INDEX.md has them
