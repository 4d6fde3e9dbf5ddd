"""The files of a source, on a disk or in an object store, and the fragments that they are read in."""

from __future__ import annotations

import glob
import os
import re
from dataclasses import dataclass
from typing import Any

from distml.config.source import SourceConfig
from distml.errors import DataError
from distml.secrets import with_secrets

COMPRESSED = (".gz", ".zst", ".bz2")  # endings of names


@dataclass(frozen=True)
class PartitionValue:
    """What a folder named key=value says of the rows in it."""

    name: str
    value: str | None
    is_number: bool = False  # as all folders' values of this name are


@dataclass(frozen=True, kw_only=True)
class Fragment:
    """A part of a table that one worker reads: a file, some row groups of one, or a range of a text's bytes."""

    index: int
    path: str
    format: str
    row_groups: tuple[int, ...] | None = None
    size: int = 0  # bytes on disk
    first_row: int = 0  # of the file's rows, counted from 0
    num_rows: int | None = None  # where it is known before they are read
    detail: Any = None  # what else the reader of its format goes by
    start: int = 0  # bytes of a text from here
    end: int | None = None  # to here; None: to the end
    first_line: int = 1  # of the file, where the bytes begin
    partition: tuple[PartitionValue, ...] = ()  # what its folders' names say
    layout: Any = None  # pyarrow.Schema of the table, where the file's own is another
    wanted: int | None = None  # rows that are asked for, where not all are
    coded: bool = False  # whether texts may come as dictionaries, where that is faster


def find_files(uri: str) -> tuple[Any, list[tuple[str, int]]]:
    """The filesystem of a path or URI, and the path and size in bytes of each file there, in order of names.

    A folder stands for all files in it but hidden ones and those whose names begin with an underscore.
    Raises `DataError` where there is none.
    """
    filesystem, path = _open(uri)
    is_here = "://" not in uri
    try:
        found = _matching(filesystem, path, uri, is_here=is_here)
        files: dict[str, int] = {}  # a pattern such as data/** matches a folder and the files in it
        for info in found:
            files |= _files_of(filesystem, info)
    except OSError as error:
        raise DataError(
            "a source can be reached", received=str(error).splitlines()[0], where=uri,
            remedy="check the address and the credentials in the environment",
        ) from error  # fmt: skip
    if not files:
        raise DataError(
            "a source names at least one file",
            received=f"nothing at {uri}",
            where="data.source.uri",
            remedy="check the path; it is relative to the folder that distml is started in" if is_here else None,
        )
    return filesystem, sorted(files.items())


def base_of(uri: str) -> str:
    """The folder that a path or URI names, as the filesystem writes it; of a pattern, the one before its first sign.

    >>> base_of("/data/year=*/x.csv"), base_of("/data/x.csv")
    ('/data', '/data/x.csv')
    """
    path = _open(uri)[1] if "://" in uri else _here(uri)
    return _fixed_part(path) if _is_pattern(path, uri) else path.rstrip("/")


def _open(uri: str) -> tuple[Any, str]:
    import pyarrow
    import pyarrow.fs

    if "://" not in uri:
        return pyarrow.fs.LocalFileSystem(), _here(uri)
    # What a pattern is made of is no part of a URI.
    head, sign, tail = _parted(uri)
    try:
        filesystem, path = pyarrow.fs.FileSystem.from_uri(with_secrets(head))
    except (pyarrow.ArrowInvalid, OSError) as error:
        raise DataError("a source is a path or a URI that pyarrow reads", received=uri, remedy=str(error)) from error
    return filesystem, f"{path.rstrip('/')}/{tail}" if sign else path


def _parted(uri: str) -> tuple[str, str, str]:
    """A URI up to the last slash before a pattern, that slash and the pattern."""
    address, question, query = uri.partition("?endpoint_override=")
    found = re.search(r"[*\[]|(?<!/)\?(?![\w]+=)", address)
    if found is None:
        return uri, "", ""
    head, slash, tail = address[: found.start()].rpartition("/")
    return head + question + query, slash, tail + address[found.start() :]


def _here(uri: str) -> str:
    return os.path.abspath(os.path.expanduser(uri))


def _is_pattern(path: str, uri: str) -> bool:
    return any(sign in path for sign in "*?[") and ("://" in uri or not os.path.exists(path))


def _fixed_part(pattern: str) -> str:
    return re.split(r"/[^/]*[*?\[]", pattern, maxsplit=1)[0]


def _matching(filesystem: Any, path: str, uri: str, *, is_here: bool) -> list[Any]:
    """What a path or pattern names."""
    import pyarrow.fs

    if not _is_pattern(path, uri):
        return list(filesystem.get_file_info([path]))
    if is_here:
        paths = glob.glob(path, recursive=True)
        return list(filesystem.get_file_info(paths)) if paths else []
    below = pyarrow.fs.FileSelector(_fixed_part(path), recursive=True, allow_not_found=True)
    matches = re.compile(_expression(path)).fullmatch
    return [info for info in filesystem.get_file_info(below) if matches(info.path)]


def _expression(pattern: str) -> str:
    """A regular expression for what a shell's pattern means; ** stands for any folders.

    >>> [bool(re.fullmatch(_expression("b/**/?.csv"), path)) for path in ("b/c/d/1.csv", "b/1.csv", "b/12.csv")]
    [True, True, False]
    """
    parts = {"**/": "(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    tokens = re.findall(r"\*\*/|\*\*|\*|\?|\[[^\]]*\]|.", pattern, re.DOTALL)
    sets = {token: token.replace("[!", "[^", 1) for token in tokens if len(token) > 2 and token.startswith("[")}
    return "".join(parts.get(token) or sets.get(token) or re.escape(token) for token in tokens)


def _files_of(filesystem: Any, info: Any) -> dict[str, int]:
    import pyarrow.fs

    if info.type == pyarrow.fs.FileType.File:
        return {info.path: info.size}
    if info.type != pyarrow.fs.FileType.Directory:
        return {}
    below = filesystem.get_file_info(pyarrow.fs.FileSelector(info.path, recursive=True))
    files = [item for item in below if item.type == pyarrow.fs.FileType.File]
    return {item.path: item.size for item in files if not _is_hidden(item.path.removeprefix(info.path))}


def _is_hidden(path: str) -> bool:
    return any(name.startswith((".", "_")) for name in path.split("/"))


def is_compressed(path: str) -> bool:
    """Whether a file is compressed as a whole, by its name.

    >>> is_compressed("a/b.csv.GZ"), is_compressed("a/b.csv")
    (True, False)
    """
    return path.lower().endswith(COMPRESSED)


def open_filesystem(source: SourceConfig) -> Any:
    return _open(source.uri)[0]
