"""MNIST's file format, idx: images of one size in one file, their labels in another.

Format: http://yann.lecun.com/exdb/mnist. Four bytes of magic (two zeros, the type of the values, the number of
dimensions), each dimension's size as a big-endian int32, then the values. A table has the columns `image`, a tensor of
uint8, and `label` where `labels` names a file of them.
"""

from __future__ import annotations

import itertools
import math
import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from distml.config.source import SourceConfig
from distml.errors import DataError
from distml.reading.files import Fragment, base_of, find_files, is_compressed, open_filesystem
from distml.reading.log import ReadLog

_NAME = re.compile(r"(.*[-.]idx[1-4][-.]ubyte|.*\.idx[1-4]?)(\.gz|\.zst|\.bz2)?", re.IGNORECASE)
_BYTE = 0x08
_LABEL_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4"}
_BLOCK_BYTES = 16 << 20
_FRAGMENT_BYTES = 64 << 20


def is_idx(path: str) -> bool:
    """
    >>> is_idx("a/train-images-idx3-ubyte.gz"), is_idx("a/t10k-images.idx3-ubyte"), is_idx("a/index.csv")
    (True, True, False)
    """
    return _NAME.fullmatch(path) is not None


@dataclass(frozen=True, kw_only=True)
class _Header:
    kind: int
    shape: tuple[int, ...]

    @property
    def num_bytes(self) -> int:
        return 4 + 4 * len(self.shape)


@dataclass(frozen=True, kw_only=True)
class _Pair:
    """A file of images, the file of their labels, and the size of an image."""

    labels: str | None
    shape: tuple[int, ...]


def list_runs(whole: Fragment, filesystem: Any, source: SourceConfig) -> list[Fragment]:
    """Runs of a file's images of about 64 MiB each; a compressed file is one, as it can't be entered in its midst.

    Raises `DataError` for a file that isn't of images, and for labels that aren't one for each image.
    """
    header = _read_header(filesystem, whole.path)
    if header.kind != _BYTE or len(header.shape) not in (3, 4) or 0 in header.shape[1:]:
        raise DataError(
            "a table of images is an idx file of bytes with 3 or 4 dimensions",
            received=_shown(header),
            where=whole.path,
            remedy="name the file of images in data.source.uri, and the one of labels in data.source.labels",
        )
    pair = _Pair(labels=_labels_of(filesystem, whole.path, header, source), shape=header.shape[1:])
    num_rows = header.shape[0]
    num_runs = 1 if is_compressed(whole.path) else max(1, math.prod(header.shape) // _FRAGMENT_BYTES)
    edges = [num_rows * i // num_runs for i in range(num_runs + 1)]
    return [
        replace(whole, size=whole.size // num_runs, first_row=first, num_rows=end - first, detail=pair)
        for first, end in itertools.pairwise(edges)
    ]


def read_idx(fragment: Fragment, source: SourceConfig, log: ReadLog) -> Iterator[Any]:
    """A run of images as raw pyarrow tables of at most 16 MiB, at least one table."""
    filesystem = open_filesystem(source)
    pair: _Pair = fragment.detail
    size = math.prod(pair.shape)
    assert fragment.num_rows is not None
    labels = _read_labels(filesystem, pair.labels, fragment)
    step = max(1, _BLOCK_BYTES // size)
    with _opened(filesystem, fragment.path) as stream:
        _skip(stream, 4 + 4 * (1 + len(pair.shape)) + fragment.first_row * size)
        for start in range(0, max(1, fragment.num_rows), step):
            end = min(start + step, fragment.num_rows)
            content = _read(stream, (end - start) * size, fragment.path)
            yield _table(content, pair.shape, None if labels is None else labels[start:end])


def _table(content: bytes, shape: tuple[int, ...], labels: np.ndarray | None) -> Any:
    import pyarrow as pa

    kind = pa.fixed_shape_tensor(pa.uint8(), shape)
    values = pa.FixedSizeListArray.from_arrays(pa.array(np.frombuffer(content, np.uint8)), type=kind.storage_type)
    columns = {"image": pa.ExtensionArray.from_storage(kind, values)}
    return pa.table(columns if labels is None else {**columns, "label": pa.array(labels, pa.int64())})


def _labels_of(filesystem: Any, path: str, images: _Header, source: SourceConfig) -> str | None:
    """The path of the labels' file, which has one for each image."""
    if source.labels is None:
        return None
    if base_of(source.uri) != path or len(found := find_files(source.labels)[1]) > 1:
        raise DataError(
            "a file of labels belongs to one file of images", received=f"{source.uri} and {source.labels}",
            where="data.source", remedy="name one file in uri, and one in labels",
        )  # fmt: skip
    labels = found[0][0]
    header = _read_header(filesystem, labels)
    if header.kind not in _LABEL_TYPES or len(header.shape) != 1:
        raise DataError(
            "labels are an idx file of whole numbers with 1 dimension",
            received=_shown(header),
            where=labels,
            remedy="name the file of labels in data.source.labels",
        )
    if header.shape[0] != images.shape[0]:
        raise DataError(
            "every image has a label",
            received=f"{images.shape[0]} images, {header.shape[0]} labels",
            where=f"{path} and {labels}",
            remedy="name the file of labels that belongs to the images",
        )
    return labels


def _shown(header: _Header) -> str:
    return f"type 0x{header.kind:02X}, dimensions {' x '.join(map(str, header.shape))}"


def _read_labels(filesystem: Any, path: str | None, fragment: Fragment) -> np.ndarray | None:
    """The labels of a run's images, int64 [n]."""
    if path is None:
        return None
    header = _read_header(filesystem, path)
    kind = np.dtype(_LABEL_TYPES[header.kind])
    assert fragment.num_rows is not None
    with _opened(filesystem, path) as stream:
        _skip(stream, header.num_bytes + fragment.first_row * kind.itemsize)
        content = _read(stream, fragment.num_rows * kind.itemsize, path)
    return np.frombuffer(content, kind).astype(np.int64)


def _read_header(filesystem: Any, path: str) -> _Header:
    with _opened(filesystem, path) as stream:
        magic = stream.read(4)
        if len(magic) < 4 or magic[:2] != b"\0\0" or magic[3] == 0:
            raise DataError(
                "an idx file begins with two zeros, the type of its values and the number of its dimensions",
                received=f"bytes {magic.hex(' ') or 'none'}",
                where=path,
                remedy="bring the file again; where it is of another format, set data.source.format",
            )
        sizes = _read(stream, 4 * magic[3], path)
    return _Header(kind=magic[2], shape=struct.unpack(f">{magic[3]}I", sizes))


@contextmanager
def _opened(filesystem: Any, path: str) -> Iterator[Any]:
    """A stream of the file's bytes, decompressed; it can be read forwards only where it was compressed."""
    import pyarrow as pa

    try:
        with (
            filesystem.open_input_stream(path, compression="detect")
            if is_compressed(path)
            else filesystem.open_input_file(path)
        ) as stream:
            yield stream
    except (OSError, pa.ArrowException) as error:
        raise DataError(
            "a compressed file is whole" if is_compressed(path) else "a file can be read",
            received=str(error).splitlines()[0],
            where=path,
            remedy="bring the file again",
        ) from None


def _skip(stream: Any, num_bytes: int) -> None:
    if stream.seekable():
        stream.seek(num_bytes)
        return
    while num_bytes > 0 and (read := len(stream.read(min(num_bytes, _BLOCK_BYTES)))):
        num_bytes -= read


def _read(stream: Any, num_bytes: int, path: str) -> bytes:
    content = stream.read(num_bytes)
    if len(content) < num_bytes:
        raise DataError(
            "an idx file holds as many values as it says at its beginning",
            received=f"{num_bytes - len(content)} bytes fewer",
            where=path,
            remedy="the file is cut off: bring it again",
        )
    return bytes(content)
