"""What can be read, and how: a table as fragments, each read on its own into raw pyarrow tables.

Texts stay texts here: what they mean is the cleaner's business, so that one rule serves files and requests alike.
Nothing here knows of Ray; `on_ray` and the local engine call the same functions.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from distml.config.sections import SourceConfig
from distml.errors import DataError

BLOCK_BYTES = 16 << 20
_TEXT = (".csv", ".tsv", ".data", ".test", ".txt")
_COMPRESSED = (".gz", ".zst", ".bz2")
_BUNDLED = ("breast_cancer", "diabetes", "digits", "iris", "wine")


@dataclass(frozen=True, kw_only=True)
class Fragment:
    """A part of a table that one worker reads: a file, or some row groups of a Parquet file."""

    index: int
    path: str
    format: str
    row_groups: tuple[int, ...] | None = None
    size: int = 0  # bytes on disk


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
    filesystem, files = _find_files(source.uri)
    fragments: list[Fragment] = []
    for path, size in files:
        kind = _format_of(path, source)
        groups: list[tuple[int, ...] | None] = [None]
        if kind == "parquet":
            groups = list(_row_group_runs(filesystem, path))
        for group in groups:
            fragments.append(
                Fragment(index=len(fragments), path=path, format=kind, row_groups=group, size=size // len(groups))
            )
    return fragments


def read_fragment(fragment: Fragment, source: SourceConfig) -> Iterator[Any]:
    """A fragment's raw pyarrow tables, in order. Text formats give text columns."""
    if fragment.format == "sklearn":
        yield _read_bundled(fragment.path)
    elif fragment.format == "parquet":
        yield from _read_parquet(fragment, source)
    else:
        yield from _read_text(fragment, source)


def read_head(source: SourceConfig, num_rows: int) -> Any:
    """The first rows of a source as one raw pyarrow table."""
    import pyarrow as pa

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
    """What a source is made from, cheaply: its settings and each file's path, size and time of change."""
    described: list[Any] = [source.model_dump(mode="json")]
    if source.uri.startswith("sklearn:"):
        import sklearn

        return [*described, sklearn.__version__]
    import pyarrow.fs

    filesystem, files = _find_files(source.uri)
    for info in filesystem.get_file_info([path for path, _ in files]):
        assert info.type == pyarrow.fs.FileType.File
        described.append([info.path, info.size, info.mtime_ns])
    return described


def _find_files(uri: str) -> tuple[Any, list[tuple[str, int]]]:
    import glob
    import os

    import pyarrow
    import pyarrow.fs

    if "://" not in uri:
        path = os.path.abspath(os.path.expanduser(uri))
        is_pattern = any(c in path for c in "*?[") and not os.path.exists(path)
        paths = glob.glob(path, recursive=True) if is_pattern else [path]
        filesystem: Any = pyarrow.fs.LocalFileSystem()
    else:
        try:
            filesystem, path = pyarrow.fs.FileSystem.from_uri(uri)
        except (pyarrow.ArrowInvalid, OSError) as error:
            raise DataError(
                "a source is a path or a URI that pyarrow reads", received=uri, remedy=str(error)
            ) from error
        paths = [path]
    files: dict[str, int] = {}  # a pattern such as data/** matches a folder and the files in it
    for info in filesystem.get_file_info(paths) if paths else ():
        if info.type == pyarrow.fs.FileType.Directory:
            for item in filesystem.get_file_info(pyarrow.fs.FileSelector(info.path, recursive=True)):
                inside = item.path.removeprefix(info.path).split("/")
                if item.type == pyarrow.fs.FileType.File and not any(name.startswith((".", "_")) for name in inside):
                    files[item.path] = item.size
        elif info.type == pyarrow.fs.FileType.File:
            files[info.path] = info.size
    if not files:
        raise DataError(
            "a source names at least one file",
            received=f"nothing at {uri}",
            where="data.source.uri",
            remedy="check the path; it is relative to the folder that distml is started in",
        )
    return filesystem, sorted(files.items())


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


def _filesystem(source: SourceConfig) -> Any:
    import pyarrow.fs

    if "://" in source.uri:
        return pyarrow.fs.FileSystem.from_uri(source.uri)[0]
    return pyarrow.fs.LocalFileSystem()


def _row_group_runs(filesystem: Any, path: str, target_bytes: int = 64 << 20) -> Iterator[tuple[int, ...]]:
    """Runs of row groups of about `target_bytes` each."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        metadata = pq.ParquetFile(filesystem.open_input_file(path)).metadata
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError("a Parquet file is whole", received=str(error), where=path) from error
    run: list[int] = []
    size = 0
    for group in range(metadata.num_row_groups):
        run.append(group)
        size += metadata.row_group(group).total_byte_size
        if size >= target_bytes:
            yield tuple(run)
            run, size = [], 0
    if run or metadata.num_row_groups == 0:
        yield tuple(run)


def _read_parquet(fragment: Fragment, source: SourceConfig) -> Iterator[Any]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with _filesystem(source).open_input_file(fragment.path) as stream:
        try:
            file = pq.ParquetFile(stream)
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


def _read_text(fragment: Fragment, source: SourceConfig) -> Iterator[Any]:
    import pyarrow as pa
    import pyarrow.csv

    ragged: list[Any] = []

    def note(row: Any) -> str:
        ragged.append(row)
        return "skip"

    delimiter = source.delimiter or ("\t" if ".tsv" in fragment.path.lower() else ",")
    names: list[str] = []
    try:
        names, header_lines = _header(fragment, source, delimiter)
        reader = pyarrow.csv.open_csv(
            _open_text(fragment, source),
            read_options=pyarrow.csv.ReadOptions(
                column_names=names or None,
                skip_rows=header_lines,
                encoding=source.encoding,
                use_threads=False,
                block_size=BLOCK_BYTES,
            ),
            parse_options=pyarrow.csv.ParseOptions(
                delimiter=delimiter, newlines_in_values=True, invalid_row_handler=note
            ),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types={name: pa.string() for name in names}, strings_can_be_null=False
            ),
        )
        for batch in reader:
            _refuse_ragged(ragged, fragment, len(names))
            yield pa.Table.from_batches([batch])
        _refuse_ragged(ragged, fragment, len(names))
    except (pa.ArrowInvalid, UnicodeDecodeError, OSError) as error:
        _refuse_ragged(ragged, fragment, len(names))
        if "Empty CSV" in str(error) or "Could not skip initial" in str(error):
            return  # nothing, or nothing but a header
        raise DataError(
            "a text table can be parsed",
            received=str(error).splitlines()[0],
            where=fragment.path,
            remedy="check data.source.delimiter, encoding and comment",
        ) from error


def _refuse_ragged(ragged: list[Any], fragment: Fragment, num_columns: int) -> None:
    if ragged:
        row = ragged[0]
        # Arrow numbers neither blank lines nor comments, nor the breaks within a quoted value.
        line = f", record {row.number}" if row.number is not None else ""
        raise DataError(
            f"every line has {num_columns} values",
            received=f"{row.actual_columns} in {row.text[:80]!r}",
            where=f"{fragment.path}{line}",
            remedy="correct the line, set data.source.delimiter, or skip such lines with data.source.comment",
        )


def _open_text(fragment: Fragment, source: SourceConfig) -> Any:
    """A text file's bytes, decompressed and without comments."""
    stream = _filesystem(source).open_input_stream(fragment.path, compression="detect")
    if not source.comment:
        return stream
    return io.BufferedReader(_WithoutComments(stream, source.comment.encode(source.encoding)), 1 << 20)


def _header(fragment: Fragment, source: SourceConfig, delimiter: str) -> tuple[list[str], int]:
    """The column names, given or from the first line that isn't blank, and the lines to skip for them."""
    if not source.header:
        return list(source.columns or ()), 0
    import csv

    with io.TextIOWrapper(_open_text(fragment, source), encoding=source.encoding, newline="") as text:
        try:
            lines = csv.reader((line.removeprefix("\ufeff") for line in text), delimiter=delimiter)
            names = next((line for line in lines if line), [])
        except UnicodeDecodeError as error:
            raise DataError(
                f"a text table is written in {source.encoding}",
                received=str(error),
                where=fragment.path,
                remedy="set data.source.encoding, latin-1 for example",
            ) from error
    names = [name.strip() for name in names]
    has_own_names = source.columns is not None and len(source.columns) == len(names)
    return (list(source.columns or ()) if has_own_names else names), lines.line_num


class _WithoutComments(io.RawIOBase):
    """A byte stream without the lines that start with a prefix."""

    def __init__(self, stream: Any, prefix: bytes) -> None:
        self._stream = stream
        byte_order_mark = rb"(?:\xef\xbb\xbf)?"
        self._pattern = re.compile(rb"^" + byte_order_mark + re.escape(prefix) + rb".*\n?", re.MULTILINE)
        self._partial = b""  # the start of a line whose end is not read yet
        self._ready = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready:
            chunk = self._stream.read(1 << 20)
            whole, newline, rest = (self._partial + chunk).rpartition(b"\n")
            if not chunk:
                self._ready, self._partial = self._pattern.sub(b"", self._partial), b""
                break
            self._ready, self._partial = self._pattern.sub(b"", whole + newline), rest
        count = min(len(buffer), len(self._ready))
        buffer[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        return count

    def close(self) -> None:
        self._stream.close()
        super().close()
