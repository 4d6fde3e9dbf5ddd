"""Parquet files, read in runs of row groups."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from distml.config.source import SourceConfig
from distml.errors import DataError
from distml.reading.files import Fragment, is_compressed, open_filesystem
from distml.reading.log import ReadLog

RUN_BYTES = 64 << 20  # of row groups that are one fragment
_MAX_ROWS, _MIN_ROWS, _MAX_CELLS = 1 << 18, 1 << 13, 1 << 24  # of a block


def list_runs(whole: Fragment, filesystem: Any, target_bytes: int = RUN_BYTES) -> list[Fragment]:
    """A file's row groups in runs of about `target_bytes`, each with the number of the file's rows before it."""
    metadata = _opened(filesystem, whole.path).metadata
    runs: list[Fragment] = []
    run: list[int] = []
    size = first_row = num_rows = 0
    for group in range(metadata.num_row_groups):
        run.append(group)
        size += metadata.row_group(group).total_byte_size
        num_rows += metadata.row_group(group).num_rows
        if size >= target_bytes or group == metadata.num_row_groups - 1:
            runs.append(
                replace(whole, row_groups=tuple(run), first_row=first_row, num_rows=num_rows - first_row)
            )  # fmt: skip
            run, size, first_row = [], 0, num_rows
    runs = runs or [replace(whole, row_groups=(), num_rows=0)]
    return [replace(part, size=whole.size // len(runs)) for part in runs]


def read_runs(fragment: Fragment, source: SourceConfig, log: ReadLog) -> Iterator[Any]:
    """A fragment's raw pyarrow tables, of the types that the file has."""
    import pyarrow as pa

    file = _opened(open_filesystem(source), fragment.path, coded=fragment.coded)
    size = min(_MAX_ROWS, max(_MIN_ROWS, _MAX_CELLS // max(1, len(file.schema_arrow.names))))
    size = min(size, max(fragment.wanted or size, 1))
    try:
        if file.metadata.num_rows == 0:
            yield file.schema_arrow.empty_table()
        for batch in file.iter_batches(batch_size=size, row_groups=list(fragment.row_groups or ())):
            yield pa.Table.from_batches([batch])
    except (pa.ArrowInvalid, OSError) as error:
        raise _broken(fragment.path, error) from error
    finally:
        file.close()


def read_schema(fragment: Fragment, source: SourceConfig) -> Any:
    """The pyarrow schema of a file."""
    return _opened(open_filesystem(source), fragment.path).schema_arrow


def _opened(filesystem: Any, path: str, *, coded: bool = False) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if is_compressed(path):
        raise DataError(
            "a Parquet file is compressed within, not as a whole", received="one that is", where=path,
            remedy="decompress it",
        )  # fmt: skip
    try:
        file = pq.ParquetFile(filesystem.open_input_file(path))
        texts = [f.name for f in file.schema_arrow if pa.types.is_string(f.type) or pa.types.is_large_string(f.type)]
        if not coded or not texts:
            return file
        # As the file stores them, which saves taking them apart and putting them together again.
        return pq.ParquetFile(filesystem.open_input_file(path), metadata=file.metadata, read_dictionary=texts)
    except (pa.ArrowInvalid, OSError) as error:
        raise _broken(path, error) from error


def _broken(path: str, error: Exception) -> DataError:
    return DataError("a Parquet file is whole", received=str(error), where=path)
