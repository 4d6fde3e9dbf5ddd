"""How large a table is and what its features will take, without reading it: for `plan`.

Rows of a text are counted in the first piece of some of its files; a Parquet file says how many it has.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from distml.config import RunConfig, SourceConfig
from distml.reading.files import Fragment, open_filesystem
from distml.reading.source import list_fragments, read_head
from distml.reading.sql import count_rows
from distml.schema import Schema

PIECE_BYTES = 1 << 20
_MAX_FILES = 16  # looked at; the others are taken to be like them
_CODECS = {"gz": "gzip", "bz2": "bz2", "zst": "zstd"}
_TEXTS = ("csv", "json", "jsonl")
_ROW_BYTES = 8 + 8 + 4  # a row's hash, its target, its weight


@dataclass(frozen=True, kw_only=True)
class Extent:
    """Rows of a table. `is_exact` is False for an estimate."""

    num_rows: int
    is_exact: bool

    def __str__(self) -> str:
        """
        >>> str(Extent(num_rows=32561, is_exact=True)), str(Extent(num_rows=32480, is_exact=False))
        ('32,561', 'about 32,500')
        """
        return f"{self.num_rows:,}" if self.is_exact else f"about {float(f'{self.num_rows:.3g}'):,.0f}"


def extent_of(source: SourceConfig) -> Extent | None:
    """A table's rows, None where its format doesn't let them be told without reading it all.

    Raises `DataError` as listing the source does.
    """
    if source.uri.startswith("sql:"):
        return Extent(num_rows=count_rows(source), is_exact=True)
    fragments = list_fragments(source, ranges=False)
    known = [fragment.num_rows for fragment in fragments if fragment.num_rows is not None]
    if len(known) == len(fragments):
        return Extent(num_rows=sum(known), is_exact=True)
    if fragments[0].format == "sklearn":
        return Extent(num_rows=read_head(source, 1 << 30).num_rows, is_exact=True)
    files = list({fragment.path: fragment for fragment in fragments}.values())
    filesystem = open_filesystem(source)
    looked_at = _spread(files)
    counts = [_count(filesystem, file, source) for file in looked_at]
    if None in counts:
        return None
    found = [count for count in counts if count is not None]
    num_bytes = {file.path: filesystem.get_file_info(file.path).size for file in files}
    seen = sum(num_bytes[file.path] for file in looked_at)
    share = sum(num_bytes.values()) / seen if seen else 1.0
    is_exact = len(looked_at) == len(files) and all(count.is_exact for count in found)
    return Extent(num_rows=round(sum(count.num_rows for count in found) * share), is_exact=is_exact)


def _spread(files: Sequence[Fragment]) -> list[Fragment]:
    """Some of many files, from all over the list."""
    step = max(1, -(-len(files) // _MAX_FILES))
    return list(files[::step])


def _count(filesystem: Any, file: Fragment, source: SourceConfig) -> Extent | None:
    if file.format == "parquet":
        import pyarrow.parquet as pq

        return Extent(num_rows=pq.read_metadata(file.path, filesystem=filesystem).num_rows, is_exact=True)
    if file.format not in _TEXTS:
        return None
    with filesystem.open_input_file(file.path) as stream:
        size, piece = stream.size(), stream.read(PIECE_BYTES)
    lines = _lines(_plain(piece, file.path), source.comment) - (file.format == "csv" and source.header)
    # Line breaks within quotes count too, so even a whole file's count is about right only.
    return Extent(num_rows=max(0, round(lines * size / max(1, len(piece)))), is_exact=False)


def _lines(text: bytes, comment: str | None = None) -> int:
    """
    >>> _lines(b"a\\nb"), _lines(b"a\\nb\\n"), _lines(b""), _lines(b"|x\\na\\n|y\\nb|", "|")
    (2, 2, 0, 2)
    """
    count = text.count(b"\n") + (not text.endswith(b"\n") and bool(text))
    if comment is None:
        return count
    start = comment.encode()
    return count - text.count(b"\n" + start) - text.startswith(start)


def _plain(piece: bytes, path: str) -> bytes:
    """What the beginning of a file says, where it is compressed."""
    import pyarrow as pa

    codec = _CODECS.get(path.rpartition(".")[2].lower())
    if codec is None:
        return piece
    stream = pa.CompressedInputStream(pa.BufferReader(piece), codec)
    found: list[bytes] = []
    try:
        while chunk := stream.read(1 << 14):  # what is read when the piece ends within a block is lost
            found.append(chunk)
    except OSError:
        pass
    return b"".join(found)


def feature_bytes(config: RunConfig, schema: Schema, recipe: str, num_rows: int) -> int:
    """The most that a recipe's features take in memory: 4 bytes a number, 8 a category, 1 a pixel.

    An imputed number may bring an indicator of where it was missing, so it counts twice.
    """
    numbers = sum(column.kind in ("numeric", "datetime") for column in schema.features)
    shapes = [column.shape for column in schema.features if column.shape is not None]
    pixels = sum(map(math.prod, shapes))
    categories = len(schema.features) - numbers - len(shapes)
    indicated = 2 if recipe == "dense" and config.features.numeric.indicator else 1
    return num_rows * (4 * numbers * indicated + 8 * categories + pixels + _ROW_BYTES)
