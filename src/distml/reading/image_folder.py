"""Folders of images: each in a folder named by its class, or named with its label by a table.

A table has the columns `image` (the file's bytes, decoded where images are cleaned), `path` (below the folder) and
`label`, or the columns of the table that `labels` names, whose dialect is the source's.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from distml.config.source import SourceConfig
from distml.errors import DataError
from distml.reading.files import Fragment, base_of, open_filesystem
from distml.reading.log import ReadLog

ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm", ".pbm")
_FRAGMENT_BYTES = 64 << 20
_FRAGMENT_FILES = 4096
_BLOCK_BYTES = 16 << 20
_SHOWN = 3

Read = Callable[[SourceConfig], Any]  # a whole table, as pyarrow's


def is_image(path: str) -> bool:
    """
    >>> is_image("a/b.JPG"), is_image("a/b.csv")
    (True, False)
    """
    return path.lower().endswith(ENDINGS)


def list_parts(files: Sequence[tuple[str, int]], source: SourceConfig, read: Read) -> list[Fragment]:
    """Runs of images of about 64 MiB each, and what is known of each: its path and label.

    Raises `DataError` where there is no image, a class isn't told, or `labels` names a file that isn't there.
    """
    base = base_of(source.uri)
    sizes = {path.removeprefix(f"{base}/"): size for path, size in files if is_image(path)}
    if not sizes:
        raise DataError(
            "a folder of images holds some",
            received=f"{len(files)} files, none ending in {', '.join(ENDINGS)}",
            where=source.uri,
            remedy="check data.source.uri, or set data.source.format to what the files are",
        )
    known = _by_folder(list(sizes), source) if source.labels is None else _by_table(sizes, source, read)
    others = [path.removeprefix(f"{base}/") for path, _ in files if not is_image(path)]
    unnamed = sorted(set(sizes) - set(known.column("path").to_pylist()))
    return [
        Fragment(
            index=index, path=base, format="images", size=size, first_row=start, num_rows=end - start,
            # The rest is told once, by the first.
            detail=(known.slice(start, end - start).combine_chunks(), others if not start else [],
                    unnamed if not start else []),
        )
        for index, (start, end, size) in enumerate(_runs([sizes[path] for path in known.column("path").to_pylist()]))
    ]  # fmt: skip


def read_images(fragment: Fragment, source: SourceConfig, log: ReadLog) -> Iterator[Any]:
    """A run of images as raw pyarrow tables of about 16 MiB; which are none is told with their files' names."""
    filesystem = open_filesystem(source)
    known, others, unnamed = fragment.detail
    _note(log, fragment.path, "only images are in a folder of images", [(0, path) for path in others])
    _note(log, fragment.path, "the table of labels names every image", [(0, path) for path in unnamed])
    unreadable: list[tuple[int, str]] = []
    paths = known.column("path").to_pylist()
    images: list[bytes] = []
    num_bytes = start = 0
    for row, path in enumerate(paths):
        content = _content(filesystem, posixpath.join(fragment.path, path))
        reason = _reason(content)
        if reason is not None:
            unreadable.append((fragment.first_row + row, f"{path}: {reason}"))
        images.append(content)
        num_bytes += len(content)
        if num_bytes >= _BLOCK_BYTES or row + 1 == len(paths):
            yield _table(images, known.slice(start, len(images)))
            images, num_bytes, start = [], 0, row + 1
    _note(log, fragment.path, "an image's file begins as one", unreadable, "clean.images says what becomes of them")


def _table(images: list[bytes], known: Any) -> Any:
    import pyarrow as pa

    return known.add_column(0, "image", [pa.array(images, pa.large_binary())])


def _reason(content: bytes) -> str | None:
    from distml.images import ImageError, read_shape

    try:
        read_shape(content)
    except ImageError as error:
        return str(error)
    return None


def _content(filesystem: Any, path: str) -> bytes:
    try:
        with filesystem.open_input_stream(path, compression=None) as stream:
            return bytes(stream.readall())
    except OSError as error:
        raise DataError("an image's file can be read", received=str(error).splitlines()[0], where=path) from None


def _note(log: ReadLog, path: str, rule: str, examples: list[tuple[int, str]], remedy: str | None = None) -> None:
    log.note(rule, "keep" if remedy else "ignore", path, len(examples), examples, remedy=remedy)


def _runs(sizes: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """(first, end, bytes) of runs of files."""
    start = total = 0
    for index, size in enumerate(sizes):
        total += size
        if total >= _FRAGMENT_BYTES or index + 1 - start >= _FRAGMENT_FILES or index + 1 == len(sizes):
            yield start, index + 1, total
            start, total = index + 1, 0


def _by_folder(paths: list[str], source: SourceConfig) -> Any:
    """The columns path and label, or path alone where no image lies in a folder of its own."""
    import pyarrow as pa

    depths = [path.count("/") for path in paths]
    if set(depths) == {0}:
        return pa.table({"path": paths})
    for path, depth in zip(paths, depths, strict=True):
        if depth != 1:
            raise DataError(
                "an image's class is the name of the folder that it lies in, directly below data.source.uri",
                received=path,
                where=source.uri,
                remedy="name the folder of the classes in uri, or a table of paths and labels in data.source.labels",
            )
    return pa.table({"path": paths, "label": [path.partition("/")[0] for path in paths]})


def _by_table(sizes: dict[str, int], source: SourceConfig, read: Read) -> Any:
    """The table of labels, in the order of its paths, each of which is an image's."""
    assert source.labels is not None
    told = source.model_copy(update={"uri": source.labels, "format": "auto", "labels": None})
    known = read(told)
    if "path" not in known.column_names or "image" in known.column_names:
        raise DataError(
            "a table of labels names each image's file in the column `path`, and has no column `image`",
            received=", ".join(known.column_names),
            where=source.labels,
            remedy="rename its columns there, or by data.source.rename",
        )
    known = known.sort_by("path").combine_chunks()
    paths = known.column("path").to_pylist()
    absent = [path for path in paths if path not in sizes]
    if absent:
        raise DataError(
            "the table of labels names images that are there, by their paths below data.source.uri",
            received=f"{len(absent)} that are not: {', '.join(map(str, absent[:_SHOWN]))}",
            where=source.labels,
            remedy=f"correct the paths; images are named {', '.join(sorted(sizes)[:_SHOWN])}",
        )
    return known
