import io
from pathlib import Path

import pyarrow as pa
import pytest
from PIL import Image

from distml.config import DataConfig, SourceConfig
from distml.errors import DataError
from distml.reading import image_folder
from distml.reading.log import ReadLog
from distml.reading.source import list_fragments, read_fragment


def encoded(colour: int = 0, size: tuple[int, int] = (4, 3), kind: str = "PNG") -> bytes:
    stream = io.BytesIO()
    Image.new("L", size, colour).save(stream, kind)
    return stream.getvalue()


@pytest.fixture
def folder(tmp_path: Path):
    """Writes files, by their paths below a folder, and names the folder."""

    def write(files: dict[str, bytes]) -> Path:
        for name, content in files.items():
            path = tmp_path / "images" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return tmp_path / "images"

    return write


def read(source: SourceConfig, log: ReadLog | None = None) -> pa.Table:
    blocks = [block for part in list_fragments(source) for block in read_fragment(part, source, log)]
    return pa.concat_tables(blocks)


def source_of(folder: Path, **values) -> SourceConfig:
    return SourceConfig(uri=str(folder), format="images", **values)


THREE = {"cat/a.png": encoded(1), "cat/b.JPG": encoded(2, kind="JPEG"), "dog/a.png": encoded(3, (9, 9))}


def test_a_folder_for_each_class(folder):
    table = read(source_of(folder(THREE)))
    assert table.column("path").to_pylist() == sorted(THREE)
    assert table.column("label").to_pylist() == ["cat", "cat", "dog"]
    assert table.column("image").to_pylist() == [THREE[path] for path in sorted(THREE)]
    assert table.column_names == ["image", "path", "label"]


def test_a_folder_without_classes_has_no_labels(folder):
    table = read(source_of(folder({"a.png": encoded(), "b.png": encoded()})))
    assert table.column_names == ["image", "path"] and table.num_rows == 2


@pytest.mark.parametrize("path", ["c.png", "train/cat/c.png"])
def test_folders_of_which_none_is_a_class_are_refused(folder, path):
    source = source_of(folder({**THREE, path: encoded()}))
    with pytest.raises(DataError, match=rf"directly below data.source.uri; received {path}"):
        read(source)


def test_a_table_of_labels(folder, tmp_path):
    (tmp_path / "labels.csv").write_text("age,path,label\n3,dog/a.png,x\n?,cat/a.png,y\n")
    log = ReadLog()
    table = read(source_of(folder(THREE), labels=str(tmp_path / "labels.csv")), log)
    assert table.drop_columns("image").to_pydict() == {
        "age": ["?", "3"], "path": ["cat/a.png", "dog/a.png"], "label": ["y", "x"],
    }  # fmt: skip
    assert table.column("image").to_pylist() == [THREE["cat/a.png"], THREE["dog/a.png"]]
    (finding,) = log.findings()
    assert (finding.rule, finding.count) == ("the table of labels names every image", 1)
    assert finding.examples == ((0, "cat/b.JPG"),)


def test_a_table_of_labels_has_a_dialect(folder, tmp_path):
    (tmp_path / "labels.txt").write_text("cat/a.png;x\ndog/a.png;y\n")
    dialect = {"header": False, "columns": ["path", "kind"], "delimiter": ";"}
    table = read(source_of(folder(THREE), labels=str(tmp_path / "labels.txt"), **dialect))
    assert table.column("kind").to_pylist() == ["x", "y"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("file,label\ncat/a.png,x\n", "in the column `path`.* received file, label"),
        ("path,label\ncat/z.png,x\ncat/a.png,x\n,x\n", "received 2 that are not: "),
    ],
)
def test_a_table_of_labels_that_does_not_fit(folder, tmp_path, content, said):
    (tmp_path / "labels.csv").write_text(content)
    with pytest.raises(DataError, match=said):
        read(source_of(folder(THREE), labels=str(tmp_path / "labels.csv")))


def test_files_that_are_no_images_are_told(folder):
    log = ReadLog()
    damaged = {"cat/c.png": b"", "dog/b.png": b"GIF?", "dog/c.png": encoded()[:10]}
    home = folder({**THREE, "cat/Thumbs.db": b"x", "README.md": b"y", ".hidden/a.png": b"z", **damaged})
    table = read(source_of(home), log)
    assert table.num_rows == 6  # what becomes of the damaged ones is the cleaner's business
    told = {finding.rule: finding for finding in log.findings()}
    others = told["only images are in a folder of images"]
    assert (others.count, [text for _, text in others.examples]) == (2, ["README.md", "cat/Thumbs.db"])
    unreadable = told["an image's file begins as one"]
    assert unreadable.count == 3 and unreadable.file == str(home)
    assert [(row, text.partition(":")[0]) for row, text in unreadable.examples] == [
        (2, "cat/c.png"), (4, "dog/b.png"), (5, "dog/c.png"),
    ]  # fmt: skip


def test_runs_and_blocks_have_every_image_once(folder, monkeypatch):
    monkeypatch.setattr(image_folder, "_FRAGMENT_FILES", 4)
    monkeypatch.setattr(image_folder, "_BLOCK_BYTES", 2 * len(encoded()))
    files = {f"{name}/{number:02}.png": encoded(number) for name in "ab" for number in range(7)}
    source = source_of(folder(files))
    fragments = list_fragments(source)
    assert [(part.index, part.first_row, part.num_rows) for part in fragments] == [
        (0, 0, 4), (1, 4, 4), (2, 8, 4), (3, 12, 2),
    ]  # fmt: skip
    blocks = [block for part in fragments for block in read_fragment(part, source)]
    assert {block.num_rows for block in blocks} == {2}
    table = pa.concat_tables(blocks)
    assert dict(zip(table.column("path").to_pylist(), table.column("image").to_pylist(), strict=True)) == files


def test_a_folder_without_images_is_refused(folder):
    with pytest.raises(DataError, match=r"holds some; received 1 files, none ending in \.png"):
        read(source_of(folder({"a.csv": b"a"})))


def test_the_format_is_told(folder):
    with pytest.raises(DataError, match=r"set data\.source\.format: images"):
        read(SourceConfig(uri=str(folder(THREE))))


@pytest.mark.parametrize(
    ("values", "ids"),
    [
        ({}, ("path",)),
        ({"exclude": ["path"]}, ()),
        ({"roles": {"id": "name"}}, ("name", "path")),
        ({"roles": {"id": ["path"]}}, ("path",)),
        ({"roles": {"time": "t", "id": None}}, ("path",)),
    ],
)
def test_the_path_is_no_feature(values, ids):
    source = {"uri": "images", "format": "images"}
    assert DataConfig.model_validate({"source": source, "target": "label", **values}).roles.id == ids
    assert DataConfig.model_validate({"source": {"uri": "a.csv"}, "target": "label"}).roles.id == ()
