"""Arrow IPC files and streams, and Feather files of both versions."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from distml.config.source import SourceConfig
from distml.errors import DataError
from distml.reading.files import Fragment, open_filesystem
from distml.reading.log import ReadLog

_FILE_MAGIC = b"ARROW1"
_FEATHER_V1 = b"FEA1"
_HEADER_BYTES = 8  # of a file: its magic, filled up; a stream follows
_BATCH_ROWS = 1 << 18
_RUN_BYTES = 64 << 20


def list_runs(whole: Fragment, filesystem: Any) -> list[Fragment]:
    """A file's record batches in runs of about 64 MB; a stream is read from its beginning to its end."""
    with _naming(whole.path):
        if whole.size < 2 * _RUN_BYTES or _magic(filesystem, whole.path)[: len(_FILE_MAGIC)] != _FILE_MAGIC:
            return [whole]
        import pyarrow as pa

        with filesystem.open_input_file(whole.path) as stream:
            reader = pa.ipc.open_file(stream)
            counts = [reader.get_batch(i).num_rows for i in range(reader.num_record_batches)]
    num_runs = max(1, min(len(counts), whole.size // _RUN_BYTES))
    bounds = [len(counts) * k // num_runs for k in range(num_runs + 1)]
    return [
        replace(
            whole, row_groups=tuple(range(a, b)), first_row=sum(counts[:a]), num_rows=sum(counts[a:b]),
            size=whole.size // num_runs,
        )
        for a, b in itertools.pairwise(bounds)
    ]  # fmt: skip


def read_arrow(fragment: Fragment, source: SourceConfig, log: ReadLog) -> Iterator[Any]:
    """A fragment's raw pyarrow tables, of the types that the file has."""
    import pyarrow as pa

    with _naming(fragment.path), _opened(fragment, source) as reader:
        is_empty = True
        for batch in _batches(reader, fragment):
            for start in range(0, batch.num_rows, _BATCH_ROWS):
                is_empty = False
                yield pa.Table.from_batches([batch.slice(start, _BATCH_ROWS)])
        if is_empty:
            yield reader.schema.empty_table()


def read_schema(fragment: Fragment, source: SourceConfig) -> Any:
    """The pyarrow schema of a file."""
    with _naming(fragment.path), _opened(fragment, source) as reader:
        return reader.schema


@contextmanager
def _naming(path: str) -> Iterator[None]:
    """What Arrow says of a broken file as a `DataError` that names it."""
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise DataError(
            "an Arrow file is whole", received=str(error).splitlines()[0], where=path,
            remedy="write it again, or set data.source.format where it is another",
        ) from error  # fmt: skip


def _batches(reader: Any, fragment: Fragment) -> Iterator[Any]:
    if fragment.row_groups is not None:
        return (reader.get_batch(i) for i in fragment.row_groups)
    return iter(reader)


@contextmanager
def _opened(fragment: Fragment, source: SourceConfig) -> Iterator[Any]:
    """A reader of a file's batches in order; of some of them where the fragment names those."""
    import pyarrow as pa
    import pyarrow.feather

    filesystem = open_filesystem(source)
    magic = _magic(filesystem, fragment.path)
    if magic.startswith(_FEATHER_V1):
        with filesystem.open_input_stream(fragment.path, compression="detect") as stream:
            table = pyarrow.feather.read_table(pa.BufferReader(stream.read()))
        yield table.to_reader()
    elif fragment.row_groups is not None:
        with filesystem.open_input_file(fragment.path) as stream:
            yield pa.ipc.open_file(stream)
    else:
        with filesystem.open_input_stream(fragment.path, compression="detect") as stream:
            if magic.startswith(_FILE_MAGIC):  # behind its magic a file is a stream, which needs no seeking
                stream.read(_HEADER_BYTES)
            yield pa.ipc.open_stream(stream)


def _magic(filesystem: Any, path: str) -> bytes:
    with filesystem.open_input_stream(path, compression="detect") as stream:
        return bytes(stream.read(len(_FILE_MAGIC)))
