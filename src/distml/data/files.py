"""The files of a source, on a disk or in an object store, and the fragments that they are read in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from distml.config.source import SourceConfig
from distml.errors import DataError
from distml.secrets import with_secrets


@dataclass(frozen=True, kw_only=True)
class Fragment:
    """A part of a table that one worker reads: a file, or some row groups of a Parquet file."""

    index: int
    path: str
    format: str
    row_groups: tuple[int, ...] | None = None
    size: int = 0  # bytes on disk
    first_row: int = 0  # of the file's rows, counted from 0
    num_rows: int | None = None  # where it is known before they are read
    detail: Any = None  # what else the reader of its format goes by


def find_files(uri: str) -> tuple[Any, list[tuple[str, int]]]:
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
            filesystem, path = pyarrow.fs.FileSystem.from_uri(with_secrets(uri))
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


def open_filesystem(source: SourceConfig) -> Any:
    import pyarrow.fs

    if "://" in source.uri:
        return pyarrow.fs.FileSystem.from_uri(with_secrets(source.uri))[0]
    return pyarrow.fs.LocalFileSystem()
