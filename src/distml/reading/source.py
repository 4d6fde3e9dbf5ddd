"""What can be read, and how: a table as fragments, each read on its own into raw pyarrow tables.

Texts stay texts here: what they mean is the cleaner's business, so that one rule serves files and requests alike.
Nothing here knows of Ray; `on_ray` and the local engine call the same functions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from distml.config.source import SourceConfig
from distml.errors import DataError
from distml.reading import arrow, idx, image_folder, parquet, sql
from distml.reading.files import COMPRESSED, Fragment, find_files
from distml.reading.jsons import read_json, read_json_schema
from distml.reading.layout import Layout, aligned, joined, lay_out, renamed
from distml.reading.log import ReadLog
from distml.reading.partitions import partition_fields, with_partition, with_partitions
from distml.reading.ranges import with_ranges
from distml.reading.text import read_text, read_text_schema

_ENDINGS = {
    "csv": (".csv", ".tsv", ".data", ".test", ".txt"),
    "parquet": (".parquet", ".pq"),
    "json": (".jsonl", ".ndjson", ".json"),
    "arrow": (".arrow", ".feather", ".ipc", ".arrows"),
}
_READERS = {
    "csv": read_text,
    "parquet": parquet.read_runs,
    "json": read_json,
    "arrow": arrow.read_arrow,
    "idx": idx.read_idx,
    "images": image_folder.read_images,
}
_SCHEMAS = {
    "csv": read_text_schema, "parquet": parquet.read_schema, "json": read_json_schema, "arrow": arrow.read_schema
}  # fmt: skip
_NUM_THREADS = 16  # what is waited for is mostly an object store
_BUNDLED = ("breast_cancer", "diabetes", "digits", "iris", "wine")


def list_fragments(source: SourceConfig, *, ranges: bool = True) -> list[Fragment]:
    """The fragments of a source, in an order that depends on names alone; all deliver the same columns, if so told.

    Large texts are several only with `ranges`: finding out where they may be entered takes a pass over their bytes.

    Raises `DataError` when nothing is there or the format isn't known.
    """
    fragments = _listed(source, ranges=ranges)
    return read_layout(fragments, source).fragments if source.schema_changes == "align" else fragments


def read_layout(fragments: Sequence[Fragment], source: SourceConfig) -> Layout:
    """The columns that the files of a table share, and what differs between them.

    Raises `DataError` naming file and column for what the source doesn't allow to differ.
    """
    listed = fragments[:1] if fragments[0].format == "sql" else fragments  # a query's parts are of the same columns
    files = list({fragment.path: fragment for fragment in reversed(listed)}.values())[::-1]
    with ThreadPoolExecutor(_NUM_THREADS) as pool:
        schemas = list(pool.map(lambda file: renamed(_schema_of(file, source), source), files))
    paths = [file.path for file in files]
    return lay_out(fragments, dict(zip(paths, schemas, strict=True)), source)


def _schema_of(fragment: Fragment, source: SourceConfig) -> Any:
    """A file's columns as a pyarrow schema, without its rows where its format lets them be told so."""
    import pyarrow as pa

    if fragment.format == "sql":
        return sql.read_head(source, 10_000).schema
    reader = _SCHEMAS.get(fragment.format)
    if reader is None:
        return next(iter(read_fragment(fragment, source))).schema
    return pa.schema([*reader(fragment, source), *partition_fields(fragment)])


def _listed(source: SourceConfig, *, ranges: bool) -> list[Fragment]:
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
    if source.format == "images":
        return image_folder.list_parts(files, source, _read_whole)
    fragments: list[Fragment] = []
    for path, size in files:
        fragments += _fragments_of(filesystem, path, size, source)
    if source.labels is not None and {part.format for part in fragments} - {"idx"}:
        raise DataError(
            "`labels` belongs to images", received=source.labels, where="data.source.labels",
            remedy="leave it out, or set data.source.format: idx or images",
        )  # fmt: skip
    fragments = with_partitions(fragments, source)
    fragments = [replace(part, index=index) for index, part in enumerate(fragments)]
    return with_ranges(fragments, source, filesystem) if ranges else fragments


def _fragments_of(filesystem: Any, path: str, size: int, source: SourceConfig) -> list[Fragment]:
    """A file's fragments; their index is still to be given."""
    whole = Fragment(index=0, path=path, format=_format_of(path, source), size=size)
    if whole.format == "parquet":
        return list(parquet.list_runs(whole, filesystem))
    if whole.format == "idx":
        return idx.list_runs(whole, filesystem, source)
    return arrow.list_runs(whole, filesystem) if whole.format == "arrow" else [whole]


def _read_whole(source: SourceConfig) -> Any:
    """A small table, such as one of labels."""
    import pyarrow as pa

    blocks = [block for fragment in list_fragments(source) for block in read_fragment(fragment, source)]
    return pa.concat_tables(blocks)


def read_fragment(fragment: Fragment, source: SourceConfig, log: ReadLog | None = None) -> Iterator[Any]:
    """A fragment's raw pyarrow tables, in order. Text formats give text columns.

    What is no row, and what had to be mended, is counted in `log`.
    """
    if fragment.format == "sklearn":
        yield _read_bundled(fragment.path)
    elif fragment.format == "sql":
        yield from sql.read_part(fragment, source)
    else:
        reader = _READERS[fragment.format]
        for table in reader(fragment, source, ReadLog() if log is None else log):
            table = renamed(with_partition(table, fragment), source)
            yield table if fragment.layout is None else aligned(table, fragment.layout)


def read_head(source: SourceConfig, num_rows: int, log: ReadLog | None = None) -> Any:
    """The first rows of a source as one raw pyarrow table; `log` says whether lines may be shown."""
    import pyarrow as pa

    if source.uri.startswith("sql:"):
        return sql.read_head(source, num_rows)
    blocks: list[Any] = []
    found = 0
    for fragment in list_fragments(source, ranges=False):
        for block in read_fragment(replace(fragment, wanted=num_rows), source, log):
            blocks.append(block.slice(0, num_rows - found))
            found += blocks[-1].num_rows
            if found >= num_rows:
                return joined(blocks)
        if blocks and found:
            break  # later files are read as the first one's schema says
    return joined(blocks) if blocks else pa.table({})


def fingerprint(source: SourceConfig) -> list[Any]:
    """What a source is made from: its settings and each file's path, size and time of change, or a query's content."""
    described: list[Any] = [source.model_dump(mode="json")]
    if source.uri.startswith("sklearn:"):
        import sklearn

        return [*described, sklearn.__version__]
    if source.uri.startswith("sql:"):
        return [*described, *sql.content_of(source)]
    import pyarrow.fs

    for uri in (source.uri, *([source.labels] if source.labels else [])):
        filesystem, files = find_files(uri)
        for info in filesystem.get_file_info([path for path, _ in files]):
            assert info.type == pyarrow.fs.FileType.File
            described.append([info.path, info.size, info.mtime_ns])
    return described


def _format_of(path: str, source: SourceConfig) -> str:
    if source.format != "auto":
        return source.format
    if idx.is_idx(path):
        return "idx"
    name = path.lower()
    for ending in COMPRESSED:
        name = name.removesuffix(ending)
    for kind, endings in _ENDINGS.items():
        if name.endswith(endings):
            return kind
    formats = "images" if image_folder.is_image(path) else ", ".join(_READERS)
    among = path.rstrip("/") != source.uri.rstrip("/")  # a file of a folder or a pattern: it may be none of the table's
    raise DataError(
        "a table's format shows in its name or is given",
        received=path,
        where="data.source",
        remedy=("name the table's files by a pattern, as folder/*.csv, or " if among else "")
        + f"set data.source.format: {formats}",
    )


def _read_bundled(name: str) -> Any:
    import pyarrow as pa
    from sklearn import datasets

    bunch = getattr(datasets, f"load_{name}")(as_frame=True)
    frame = bunch.frame.copy()
    if "target_names" in bunch and name != "digits":
        frame["target"] = [str(bunch.target_names[code]) for code in bunch.target]
    frame.columns = [re.sub(r"\W+", "_", str(column)).strip("_") for column in frame.columns]
    return pa.Table.from_pandas(frame, preserve_index=False)
