"""Which files of a folder or pattern make one table, and the source config that reads them.

A table's files are written alike and have the same columns. Of several tables in one folder the one with the target
is taken, and of those the largest; every other file is named with what sets it apart.
"""

from __future__ import annotations

import codecs
import glob
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from distml.config.source import SourceConfig
from distml.errors import DataError
from distml.reading.files import Fragment, PartitionValue, find_files
from distml.reading.image_folder import is_image
from distml.reading.kinship import are_one_table, renamed_to
from distml.reading.partitions import with_partitions
from distml.reading.patterns import patterns_of
from distml.reading.sniff import Dialect, binary_kind, sniff
from distml.reading.source import list_fragments, read_fragment, read_layout
from distml.secrets import without_password

HEAD_BYTES = 1 << 18
MAX_FILES = 1000  # whose first lines are read


@dataclass(frozen=True, kw_only=True)
class File:
    """One file of a table: its size in bytes as stored, its columns, and how it is written where it is text."""

    path: str
    size: int
    format: str
    columns: tuple[str, ...]
    dialect: Dialect | None = None
    needs_format: bool = False  # its name doesn't tell
    partition: tuple[PartitionValue, ...] = ()  # what its folders' names say

    @property
    def names(self) -> tuple[str, ...]:
        """Its columns and its folders'."""
        return (*self.columns, *(part.name for part in self.partition))

    @property
    def kind(self) -> tuple[object, ...]:
        """What files of one table have in common."""
        if self.dialect is None:
            return self.format, tuple(sorted(self.columns))
        names = tuple(sorted(self.columns)) if self.dialect.is_named else (len(self.columns),)
        return self.format, self.dialect.delimiter, self.dialect.header, names


@dataclass(frozen=True, kw_only=True)
class Survey:
    """The files of one table, how to read them, and the files left out with the reason, by name."""

    source: SourceConfig
    files: tuple[File, ...]
    left_out: dict[str, str]
    num_unseen: int = 0  # files past `MAX_FILES`, supposed to be like the others
    aligned: Mapping[str, str] = field(default_factory=dict)  # files of other columns that are read all the same

    @property
    def is_named(self) -> bool:
        """Whether the files name their columns."""
        return all(file.dialect is None or file.dialect.is_named for file in self.files)


def survey(uri: str, *, target: str | None = None, columns: Sequence[str] | None = None) -> Survey:
    """The table at a URI. `columns` are names over the file's own; `target` chooses among several tables.

    Raises `DataError` where no file can be read as a table, with the reason where there is one file.
    """
    if uri.startswith("sklearn:"):
        return _bundled(uri)
    if uri.startswith("sql:"):
        raise DataError(
            "a table to look at is in files", received=without_password(uri),
            remedy="write data.source: {uri: ..., query: SELECT ...} yourself, or look at an extract of its rows",
        )  # fmt: skip
    filesystem, found = find_files(uri)
    found = [(path, size) for path, size in found if size]  # the reader passes over empty files
    if not found:
        raise DataError("a table has at least one row", received="an empty file", where=uri)
    files: list[File] = []
    left_out: dict[str, str] = {}
    for path, size in found[:MAX_FILES]:
        try:
            files.append(_look(filesystem, path, size))
        except DataError as error:
            if len(found) == 1:
                raise _placed(error, path) from error
            left_out[path] = f"is no table: {error.received or error.rule}"
    if not files:
        path, reason = next(iter(left_out.items()))
        raise DataError(
            "a folder holds at least one table",
            received=f"{len(left_out)} files; the first, {os.path.basename(path)}, {reason}",
            where=uri,
            remedy=_IMAGES if any(is_image(path) for path, _ in found) else _READABLE,
        )
    files = _with_partitions(files, uri)
    chosen = _choose(files, target)
    others = {file.path: _difference(file, chosen[0]) for file in files if file not in chosen}
    aligned = None if columns else _aligned(uri, files, chosen[0], target, left_out, others)
    if aligned is not None:
        return replace(aligned, num_unseen=max(0, len(found) - MAX_FILES))
    left_out |= others
    narrowed, kept = _narrowed(uri, chosen, left_out)
    left_out |= {file.path: "no pattern names it together with the others" for file in chosen if file not in kept}
    return Survey(
        source=_source(narrowed, kept, columns),
        files=tuple(kept),
        left_out={_relative(path, uri): reason for path, reason in sorted(left_out.items())},
        num_unseen=max(0, len(found) - MAX_FILES),
    )


_READABLE = (
    "what can be read: delimited text and JSON lines (.gz, .bz2, .zst too), Parquet, Arrow and Feather, or sklearn:NAME"
)

_IMAGES = "images need no look: data.source is {uri: FOLDER, format: images}, data.target is label, each one's folder"


def _placed(error: DataError, path: str) -> DataError:
    return DataError(error.rule, received=error.received, where=error.where or path, remedy=error.remedy or _READABLE)


def _bundled(uri: str) -> Survey:
    source = SourceConfig(uri=uri)
    (fragment,) = list_fragments(source)
    names = tuple(next(read_fragment(fragment, source)).column_names)
    return Survey(source=source, files=(File(path=uri, size=0, format="sklearn", columns=names),), left_out={})


def _look(filesystem: Any, path: str, size: int) -> File:
    head, is_whole = _head(filesystem, path)
    known = _format_of(path)
    form = _kind_of(head) or known
    if form == "idx":
        raise DataError(
            "a table to look at is text or Parquet, JSON or Arrow", received=binary_kind(head) or "images", where=path,
            remedy="images need no look: name them in data.source.uri, and their labels in data.source.labels",
        )  # fmt: skip
    if form not in (None, "csv"):
        source = SourceConfig(uri=path, format=form)
        names = tuple(read_layout(list_fragments(source, ranges=False), source).schema.names)
        return File(path=path, size=size, format=str(form), columns=names, needs_format=known != form)
    dialect = sniff(head, is_whole=is_whole)
    return File(
        path=path, size=size, format="csv", columns=dialect.columns, dialect=dialect, needs_format=known is None
    )


def _kind_of(head: bytes) -> str | None:
    """The format that a file's first bytes show, None where it is of text or of none."""
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith((b"ARROW1\0", b"FEA1", b"\xff\xff\xff\xff")):
        return "arrow"
    return "json" if head.removeprefix(codecs.BOM_UTF8).lstrip()[:1] in (b"{", b"[") else None


def _with_partitions(files: list[File], uri: str) -> list[File]:
    """The files with what their folders' names say, where all lie in such folders."""
    fragments = [Fragment(index=0, path=file.path, format=file.format) for file in files]
    found = with_partitions(fragments, SourceConfig(uri=uri))
    return [replace(file, partition=part.partition) for file, part in zip(files, found, strict=True)]


def _format_of(path: str) -> str | None:
    """The format that the reader sees in a name, None where it asks for one."""
    try:
        return list_fragments(SourceConfig(uri=path), ranges=False)[0].format
    except DataError:
        return None


def _head(filesystem: Any, path: str) -> tuple[bytes, bool]:
    """A file's first bytes, decompressed, and whether they are all."""
    try:
        with filesystem.open_input_stream(path, compression="detect") as stream:
            head = stream.read(HEAD_BYTES)
            return head, len(head) < HEAD_BYTES
    except OSError as error:
        raise DataError("a file can be read", received=str(error), where=path) from error


def _choose(files: Sequence[File], target: str | None) -> list[File]:
    """The files of one kind: one that has the target before others, then the largest by bytes."""
    kinds: dict[tuple[object, ...], list[File]] = {}
    for file in files:
        kinds.setdefault(file.kind, []).append(file)
    return max(
        kinds.values(), key=lambda group: (target in group[0].names, sum(file.size for file in group), group[0].path)
    )


def _aligned(
    uri: str, files: list[File], usual: File, target: str | None, left_out: dict[str, str], others: dict[str, str]
) -> Survey | None:
    """The survey of files that are one table though their columns differ; `others` tells of each what does."""
    kin, renamed = _kin(files, usual, target)
    read = {file.path for file in kin}
    unlike = left_out | {path: reason for path, reason in others.items() if path not in read}
    narrowed, kept = _narrowed(uri, kin, unlike) if kin else (uri, [])
    if not kin or kept != kin:
        return None
    return Survey(
        source=_source(narrowed, kin, None).model_copy(update={"schema_changes": "align", "rename": renamed}),
        files=tuple(kin),
        left_out={_relative(path, uri): reason for path, reason in sorted(unlike.items())},
        aligned={_relative(path, uri): reason for path, reason in sorted(others.items()) if path in read},
    )


def _kin(files: Sequence[File], usual: File, target: str | None) -> tuple[list[File], dict[str, str]]:
    """The files that are one table with a usual one though their columns differ, and columns' other names in them;
    none where no file differs, or where its lines would have to be read otherwise."""
    dialect = usual.dialect
    if usual.partition or (dialect and not (dialect.is_named and (dialect.decimal, dialect.thousands) == (".", None))):
        return [], {}
    kin: list[File] = []
    renamed: dict[str, str] = {}
    for file in files:
        is_written_alike = file.format == usual.format and file.kind[1:-1] == usual.kind[1:-1]
        if not is_written_alike or file.needs_format or (file.dialect and not file.dialect.is_named):
            continue
        names = renamed_to(file.columns, usual.columns)
        columns = [names.get(name, name) for name in file.columns]
        if are_one_table(columns, usual.columns) and (target is None or target in columns):
            kin.append(file)
            renamed.update(names)
    has_others = len({file.kind for file in kin}) > 1
    is_clear = not any(set(file.columns) >= {old, new} for file in kin for old, new in renamed.items())
    return (kin, renamed) if has_others and is_clear else ([], {})


def _difference(file: File, usual: File) -> str:
    """What sets a file apart from those that are read.

    >>> one, other = (File(path="", size=1, format="csv", columns=names) for names in (("x", "y"), ("x", "z")))
    >>> _difference(other, one)
    'has other columns: without y; with z'
    """
    if file.format != usual.format:
        return f"is {file.format}"
    if len(file.columns) == 1:
        return "is no table of several columns"
    absent = [name for name in usual.columns if name not in file.columns]
    more = [name for name in file.columns if name not in usual.columns]
    if not absent and not more:
        return "is written in another way (delimiter or header)"
    parts = [f"{word} {_listed(names)}" for word, names in (("without", absent), ("with", more)) if names]
    return f"has other columns: {'; '.join(parts)}"


def _listed(names: Sequence[str], most: int = 5) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _narrowed(uri: str, chosen: list[File], left_out: dict[str, str]) -> tuple[str, list[File]]:
    """A URI of the chosen files and none of those left out; of the largest alone where no pattern tells them apart."""
    if not left_out:
        return uri, chosen
    if "://" not in uri:
        paths = {file.path for file in chosen}
        for pattern in patterns_of(sorted(paths)):
            matched = set(glob.glob(pattern, recursive=True))
            if matched >= paths and not matched & set(left_out):
                return pattern, chosen
    largest = max(chosen, key=lambda file: (file.size, file.path))
    return (largest.path if "://" not in uri else f"{uri.split('://')[0]}://{largest.path}"), [largest]


def _source(uri: str, files: Sequence[File], columns: Sequence[str] | None) -> SourceConfig:
    """How the files are read, with the reader's own defaults left as they are."""
    first = files[0]
    form = first.format if any(file.needs_format for file in files) else "auto"
    settings: dict[str, Any] = {"uri": uri, "format": form}
    if first.dialect is None:
        return SourceConfig(**settings)
    defaults = {"\t" if ".tsv" in file.path.lower() else "," for file in files}
    if defaults != {first.dialect.delimiter}:
        settings["delimiter"] = first.dialect.delimiter
    if columns is not None and len(columns) != len(first.columns):
        raise DataError(
            "--columns names every column of the table",
            received=f"{len(columns)} names for {len(first.columns)} columns",
            where=first.path,
        )
    is_named = all(file.dialect is not None and file.dialect.is_named for file in files)
    if columns is not None or not is_named:
        settings["columns"] = tuple(columns or first.columns)
    dialects = [file.dialect for file in files if file.dialect is not None]
    return SourceConfig(
        **settings,
        header=first.dialect.header,
        comment=next((dialect.comment for dialect in dialects if dialect.comment), None),
        # What reads the widest set of bytes reads the others' plain letters as well.
        encoding=next((dialect.encoding for dialect in dialects if dialect.encoding != "utf-8"), "utf-8"),
        quote=first.dialect.quote,
        escape=next((dialect.escape for dialect in dialects if dialect.escape), None),
        decimal=first.dialect.decimal,
        thousands=first.dialect.thousands,
    )


def _relative(path: str, uri: str) -> str:
    folder = os.path.abspath(os.path.expanduser(uri)) if "://" not in uri else uri.split("://", 1)[1]
    folder = folder if os.path.isdir(folder) else os.path.dirname(folder)
    return os.path.relpath(path, folder) if folder and path.startswith(folder) else path
