"""What can be read, and how: a table as fragments, each read on its own into raw pyarrow tables.

Texts stay texts here: what they mean is the cleaner's business, so that one rule serves files and requests alike.
Nothing here knows of Ray; `on_ray` and the local engine call the same functions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from distml.config.source import SourceConfig
from distml.data import sql
from distml.data.files import Fragment, find_files, open_filesystem
from distml.data.log import ReadLog
from distml.data.text import read_text
from distml.errors import DataError

_TEXT = (".csv", ".tsv", ".data", ".test", ".txt")
_COMPRESSED = (".gz", ".zst", ".bz2")
_BUNDLED = ("breast_cancer", "diabetes", "digits", "iris", "wine")


def list_fragments(source: SourceConfig) -> list[Fragment]:
    """The fragments of a source, in an order that depends on names alone.

    Raises `DataError` when nothing is there or the format isn't known.
    """
    if source.uri.startswith("sklearn:"):
        name = source.uri.removeprefix("sklearn:")
        if name not in _BUNDLED:
            raise DataError(
                "a bundled table is one that scikit-learn carries with it",
                received=source.uri,
                where="data.source.uri",
                remedy=f"one of {', '.join('sklearn:' + known for known in _BUNDLED)}",
            )
        return [Fragment(index=0, path=name, format="sklearn")]
    if source.uri.startswith("sql:"):
        return sql.list_parts(source)
    filesystem, files = find_files(source.uri)
    fragments: list[Fragment] = []
    for path, size in files:
        kind = _format_of(path, source)
        runs: list[tuple[tuple[int, ...] | None, int]] = [(None, 0)]
        if kind == "parquet":
            runs = list(_row_group_runs(filesystem, path))
        for groups, first_row in runs:
            fragments.append(
                Fragment(
                    index=len(fragments),
                    path=path,
                    format=kind,
                    row_groups=groups,
                    size=size // len(runs),
                    first_row=first_row,
                )
            )
    return fragments


def read_fragment(fragment: Fragment, source: SourceConfig, log: ReadLog | None = None) -> Iterator[Any]:
    """A fragment's raw pyarrow tables, in order. Text formats give text columns.

    What is no row, and what had to be mended, is counted in `log`.
    """
    if fragment.format == "sklearn":
        yield _read_bundled(fragment.path)
    elif fragment.format == "sql":
        yield from sql.read_part(fragment, source)
    elif fragment.format == "parquet":
        yield from _read_parquet(fragment, source)
    else:
        yield from read_text(fragment, source, ReadLog() if log is None else log)


def read_head(source: SourceConfig, num_rows: int) -> Any:
    """The first rows of a source as one raw pyarrow table."""
    import pyarrow as pa

    if source.uri.startswith("sql:"):
        return sql.read_head(source, num_rows)
    blocks: list[Any] = []
    found = 0
    for fragment in list_fragments(source):
        for block in read_fragment(fragment, source):
            blocks.append(block.slice(0, num_rows - found))
            found += blocks[-1].num_rows
            if found >= num_rows:
                return pa.concat_tables(blocks)
        if blocks and found:
            break  # later files are read as the first one's schema says
    return pa.concat_tables(blocks) if blocks else pa.table({})


def fingerprint(source: SourceConfig) -> list[Any]:
    """What a source is made from: its settings and each file's path, size and time of change, or a query's content."""
    described: list[Any] = [source.model_dump(mode="json")]
    if source.uri.startswith("sklearn:"):
        import sklearn

        return [*described, sklearn.__version__]
    if source.uri.startswith("sql:"):
        return [*described, *sql.content_of(source)]
    import pyarrow.fs

    filesystem, files = find_files(source.uri)
    for info in filesystem.get_file_info([path for path, _ in files]):
        assert info.type == pyarrow.fs.FileType.File
        described.append([info.path, info.size, info.mtime_ns])
    return described


def _format_of(path: str, source: SourceConfig) -> str:
    if source.format != "auto":
        return source.format
    name = path.lower()
    for ending in _COMPRESSED:
        name = name.removesuffix(ending)
    if name.endswith((".parquet", ".pq")):
        return "parquet"
    if name.endswith(_TEXT):
        return "csv"
    raise DataError(
        "a table's format shows in its name or is given",
        received=path,
        where="data.source",
        remedy="set data.source.format: csv or parquet",
    )


def _row_group_runs(filesystem: Any, path: str, target_bytes: int = 64 << 20) -> Iterator[tuple[tuple[int, ...], int]]:
    """Runs of row groups of about `target_bytes` each, and the file's rows before each."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        metadata = pq.ParquetFile(filesystem.open_input_file(path)).metadata
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError("a Parquet file is whole", received=str(error), where=path) from error
    run: list[int] = []
    size = first_row = num_rows = 0
    for group in range(metadata.num_row_groups):
        run.append(group)
        size += metadata.row_group(group).total_byte_size
        num_rows += metadata.row_group(group).num_rows
        if size >= target_bytes:
            yield tuple(run), first_row
            run, size, first_row = [], 0, num_rows
    if run or metadata.num_row_groups == 0:
        yield tuple(run), first_row


def _read_parquet(fragment: Fragment, source: SourceConfig) -> Iterator[Any]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with open_filesystem(source).open_input_file(fragment.path) as stream:
        try:
            file = pq.ParquetFile(stream)
            if file.metadata.num_rows == 0:
                yield file.schema_arrow.empty_table()
            for batch in file.iter_batches(batch_size=1 << 18, row_groups=list(fragment.row_groups or ())):
                yield pa.Table.from_batches([batch])
        except (pa.ArrowInvalid, OSError) as error:
            raise DataError("a Parquet file is whole", received=str(error), where=fragment.path) from error


def _read_bundled(name: str) -> Any:
    import pyarrow as pa
    from sklearn import datasets

    bunch = getattr(datasets, f"load_{name}")(as_frame=True)
    frame = bunch.frame.copy()
    if "target_names" in bunch and name != "digits":
        frame["target"] = [str(bunch.target_names[code]) for code in bunch.target]
    frame.columns = [re.sub(r"\W+", "_", str(column)).strip("_") for column in frame.columns]
    return pa.Table.from_pandas(frame, preserve_index=False)
