"""Where everything is kept: one root, local or remote, addressed by relative keys.

A `Storage` knows nothing of runs or packages. It reads and writes bytes and folders under one root through
pyarrow's filesystems (local paths, s3://, gs://), and changes small records by compare-and-swap.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
import tempfile
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from distml.errors import ConflictError, NotFoundError, StorageError
from distml.secrets import with_secrets
from distml.sizes import size

_NUM_SYNCS = 8  # at once, as a disk has a queue
_FULL = (errno.ENOSPC, errno.EDQUOT)
_MAKE_ROOM = "free space there, or name another place in `storage`; `distml gc` deletes old runs and versions"
_SCRATCH = (".tmp-", ".probe-")  # what the names of files begin with that are being written


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What is stored at a key; changed_at: when anything of it was changed last, in seconds since 1970."""

    num_files: int
    num_bytes: int
    changed_at: float


class Storage:
    """Bytes under a root, local path or URI.

    Raises `StorageError` when the root can't be reached or written.
    """

    def __init__(self, root: str | Path):
        self.root = str(root)
        self.is_local = "://" not in self.root or self.root.startswith("file://")
        if self.is_local:
            self.root = str(Path(self.root.removeprefix("file://")).expanduser().absolute())
        self._fs, self._base = _filesystem(self.root, self.is_local)

    def __repr__(self) -> str:
        return f"Storage({self.root!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return Storage, (self.root,)

    def uri(self, key: str = "") -> str:
        """The full path or URI of a key."""
        return f"{self.root.rstrip('/')}/{contained(key)}" if key else self.root

    def _path(self, key: str) -> str:
        return f"{self._base.rstrip('/')}/{contained(key)}" if key else self._base

    def check_writable(self) -> None:
        """Writes and removes one small file; raises `StorageError` with the remedy when that fails."""
        probe = f".probe-{uuid.uuid4().hex}"
        try:
            self.write_bytes(probe, b"distml")
            self.delete(probe)
        except StorageError as error:
            raise StorageError(
                "storage must be writable",
                received=error.received,
                where=self.root,
                remedy="name a folder or bucket that you may write to in `storage`, or change its permissions",
            ) from error

    def exists(self, key: str) -> bool:
        import pyarrow.fs

        return self._fs.get_file_info(self._path(key)).type != pyarrow.fs.FileType.NotFound

    def list(self, key: str = "", *, hidden: bool = False) -> list[str]:
        """The names directly below a key, sorted, dotted ones where `hidden`; empty when it doesn't exist."""
        import pyarrow.fs

        if self.is_local:  # pyarrow looks at every file, and fails at one that a writer beside renames meanwhile
            try:
                names = os.listdir(self._path(key))
            except (FileNotFoundError, NotADirectoryError):
                names = []
        else:
            selector = pyarrow.fs.FileSelector(self._path(key), allow_not_found=True)
            names = [PurePosixPath(info.path).name for info in self._fs.get_file_info(selector)]
        return sorted(name for name in names if hidden or not name.startswith("."))

    def read_bytes(self, key: str) -> bytes:
        try:
            with self._fs.open_input_file(self._path(key)) as stream:
                return stream.read()
        except FileNotFoundError as error:
            raise NotFoundError("no such file in storage", received=key, where=self.root) from error
        except OSError as error:
            raise StorageError("storage must be readable", received=str(error), where=self.uri(key)) from error

    def write_bytes(self, key: str, content: bytes, *, durable: bool = True) -> None:
        """Writes beside the target and renames, so that a reader sees the old bytes or the new, never half.

        What isn't `durable` may be lost when the machine fails, until `make_durable`: sooner for many small files.
        """
        path = self._path(key)
        try:
            if not self.is_local:  # object stores make a put visible only when it is complete
                with self._fs.open_output_stream(path) as stream:
                    stream.write(content)
                return
            parent = os.path.dirname(path)
            os.makedirs(parent, exist_ok=True)
            temporary = Path(parent, _scratch_name())
            try:
                with temporary.open("xb") as stream:
                    stream.write(content)
                    stream.flush()
                    if durable:
                        os.fsync(stream.fileno())
                os.replace(temporary, path)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
        except OSError as error:
            raise _unwritable(error, self.uri(key)) from error

    def check_room(self, num_bytes: int, key: str = "") -> None:
        """Raises `StorageError` where the disk hasn't room for so many bytes more. An object store is taken to have it.

        For what would be long in the making, or half-written by several writers: a write that fails leaves nothing.
        """
        if not self.is_local:
            return
        place = Path(self._path(key))
        while not place.exists():
            place = place.parent
        free = shutil.disk_usage(place).free
        if free < num_bytes:
            received = f"{size(num_bytes)} to write, {size(free)} free"
            raise StorageError("a disk has room for what is written", received=received, where=self.uri(key),
                               remedy=_MAKE_ROOM)  # fmt: skip

    def make_durable(self, key: str) -> None:
        """Brings the files of a folder to the disk that were written in passing."""
        if not self.is_local:  # an object store has what it has confirmed
            return
        paths = [os.path.join(folder, name) for folder, _, names in os.walk(self._path(key)) for name in names]
        with ThreadPoolExecutor(_NUM_SYNCS) as pool:
            list(pool.map(_sync, paths))

    def make_folder(self, key: str = "") -> None:
        """A folder and those above it; nothing happens when it is there."""
        try:
            self._fs.create_dir(self._path(key))
        except OSError as error:
            raise _unwritable(error, self.uri(key)) from error

    def open_input(self, key: str) -> Any:
        """A file as a seekable pyarrow stream, for what is too large for `read_bytes`."""
        try:
            return self._fs.open_input_file(self._path(key))
        except FileNotFoundError as error:
            raise NotFoundError("no such file in storage", received=key, where=self.root) from error
        except OSError as error:
            raise StorageError("storage must be readable", received=_reason(error), where=self.uri(key)) from error

    def open_output(self, key: str) -> Any:
        """A pyarrow stream into a file of a folder that exists. What is half-written shows: `rename` it when whole."""
        try:
            return self._fs.open_output_stream(self._path(key))
        except OSError as error:
            raise _unwritable(error, self.uri(key)) from error

    def rename(self, key: str, new: str) -> None:
        """Moves a file, or a local folder, to where it replaces what is there. In an object store it is a copy."""
        try:
            if self.is_local:
                _replace(self._path(key), self._path(new))
            else:
                self._fs.move(self._path(key), self._path(new))
        except FileNotFoundError as error:
            raise NotFoundError("no such file in storage", received=key, where=self.root) from error
        except OSError as error:
            raise _unwritable(error, self.uri(new)) from error

    def read_json(self, key: str) -> Any:
        import orjson

        try:
            return orjson.loads(self.read_bytes(key))
        except orjson.JSONDecodeError as error:
            raise StorageError(
                "a record in storage is whole",
                received=f"no JSON: {error}",
                where=self.uri(key),
                remedy="bring it back from a backup; a stage's record is made again when the stage's folder is deleted",
            ) from error

    def write_json(self, key: str, value: Any) -> None:
        self.write_bytes(key, dump_json(value))

    def delete(self, key: str) -> None:
        """Removes a file or a folder; nothing happens when it isn't there."""
        import pyarrow.fs

        path = self._path(key)
        kind = self._fs.get_file_info(path).type
        if kind == pyarrow.fs.FileType.Directory:
            self._fs.delete_dir(path)
        elif kind == pyarrow.fs.FileType.File:
            self._fs.delete_file(path)

    def usage(self, key: str = "") -> Usage:
        """What a file, or everything below a folder, takes; nothing when it isn't there."""
        found = list(self._stats(self._path(key)))
        sizes = [size for size, _ in found if size is not None]
        return Usage(num_files=len(sizes), num_bytes=sum(sizes), changed_at=max((at for _, at in found), default=0.0))

    def _stats(self, path: str) -> Iterator[tuple[int | None, float]]:
        """(bytes, time of change) of everything at or below a path; a folder has no bytes."""
        import pyarrow.fs

        if self.is_local:  # as in `list`
            for place in _walk(path):
                with suppress(FileNotFoundError):
                    known = os.lstat(place)
                    yield None if stat.S_ISDIR(known.st_mode) else known.st_size, known.st_mtime
            return
        infos = [self._fs.get_file_info(path)]
        if infos[0].type == pyarrow.fs.FileType.Directory:
            infos = self._fs.get_file_info(pyarrow.fs.FileSelector(path, recursive=True))
        yield from ((info.size, info.mtime_ns / 1e9) for info in infos if info.type == pyarrow.fs.FileType.File)

    def leftovers(self) -> tuple[str, ...]:
        """Files and folders that a writer has not put in their place: those at work now, and those that were killed.

        In an object store there are none.
        """
        found = []
        for folder, folders, files in os.walk(self._base) if self.is_local else ():
            found += [os.path.join(folder, name) for name in (*folders, *files) if name.startswith(_SCRATCH)]
            folders[:] = [name for name in folders if not name.startswith(_SCRATCH)]
        return tuple(sorted(os.path.relpath(path, self._base) for path in found))

    def delete_if_empty(self, key: str = "") -> None:
        """Removes a local folder (the root without a key) that holds nothing."""
        if self.is_local:
            with suppress(OSError):  # not empty, or not there
                os.rmdir(self._path(key))

    @contextmanager
    def new_folder(self, key: str) -> Iterator[Path]:
        """A local folder to fill; its files appear under `key` only when the block ends without an error."""
        is_filled = False
        with self._scratch(key) as staging:
            try:
                yield staging
                is_filled = True
                self._publish(staging, key)
            except OSError as error:
                if not is_filled and error.errno not in _FULL:
                    raise  # the block's own
                raise _unwritable(error, self.uri(key)) from error

    @contextmanager
    def _scratch(self, key: str) -> Iterator[Path]:
        if self.is_local:  # on the same disk, so that publishing is one rename
            staging = Path(os.path.dirname(self._path(key)), _scratch_name())
            try:
                staging.mkdir(parents=True)
            except OSError as error:
                raise _unwritable(error, self.uri(key)) from error
        else:
            staging = Path(tempfile.mkdtemp(prefix="distml-"))
        try:
            yield staging
        finally:
            shutil.rmtree(staging, ignore_errors=True)

    def _publish(self, staging: Path, key: str) -> None:
        target = self._path(key)
        if self.is_local:
            _replace(str(staging), target)
            return
        import pyarrow.fs

        self.delete(key)
        pyarrow.fs.copy_files(
            str(staging),
            target,
            source_filesystem=pyarrow.fs.LocalFileSystem(),
            destination_filesystem=self._fs,
        )

    @contextmanager
    def local_folder(self, key: str) -> Iterator[Path]:
        """A local folder with the files under `key`: the folder itself when storage is local, else a copy."""
        if not self.exists(key):
            raise NotFoundError("no such folder in storage", received=key, where=self.root)
        if self.is_local:
            yield Path(self._path(key))
            return
        import pyarrow.fs

        with tempfile.TemporaryDirectory(prefix="distml-") as folder:
            pyarrow.fs.copy_files(
                self._path(key), folder, source_filesystem=self._fs,
                destination_filesystem=pyarrow.fs.LocalFileSystem(),
            )  # fmt: skip
            yield Path(folder)

    def swap_json(self, key: str, expected_revision: int, value: dict[str, Any]) -> int:
        """Compare-and-swap of a small record; returns its new revision.

        A record's history is one file per revision, `key/000007.json`, each created exclusively: of two writers
        that saw the same revision one wins and the other gets `ConflictError`.
        """
        revision = expected_revision + 1
        record = f"{key}/{revision:06d}.json"
        content = dump_json(value)
        try:
            if self.is_local:
                self._create_exclusively(self._path(record), content)
            else:
                # Object stores offer no exclusive create through pyarrow: the check narrows the window only.
                if self.exists(record):
                    raise FileExistsError(record)
                self.write_bytes(record, content)
        except FileExistsError as error:
            raise ConflictError(
                "a record is changed by one writer at a time",
                received=f"revision {expected_revision} is no longer the newest",
                where=self.uri(key),
                remedy="read it again and repeat the command",
            ) from error
        except OSError as error:
            raise _unwritable(error, self.uri(key)) from error
        return revision

    @staticmethod
    def _create_exclusively(path: str, content: bytes) -> None:
        # A hard link of a complete file: exclusive like O_EXCL, and never seen half-written.
        os.makedirs(os.path.dirname(path), exist_ok=True)
        temporary = Path(os.path.dirname(path), _scratch_name())
        try:
            temporary.write_bytes(content)
            os.link(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)

    def read_swapped(self, key: str) -> tuple[int, dict[str, Any] | None]:
        """The newest revision of a record and its value; (0, None) when there is none."""
        revisions = [name for name in self.list(key) if name.endswith(".json")]
        if not revisions:
            return 0, None
        return int(revisions[-1].removesuffix(".json")), self.read_json(f"{key}/{revisions[-1]}")


def contained(key: str) -> str:
    """The key itself, or `StorageError` when it would leave the root.

    >>> contained("runs/a/manifest.json")
    'runs/a/manifest.json'
    """
    path = PurePosixPath(key)
    if path.is_absolute() or ".." in path.parts or "\\" in key or "\0" in key:
        raise StorageError("a key stays inside its storage", received=key, remedy="use a relative name without '..'")
    return str(path)


def dump_json(value: Any) -> bytes:
    """Indented JSON bytes with sorted keys; numpy scalars and arrays are written as numbers and lists."""
    import orjson

    options = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS
    return orjson.dumps(value, option=options)


def content_hash(*parts: Any) -> str:
    """The sha256 (first 16 hex digits) of JSON-ready values: what a stage's result was made from.

    >>> content_hash({"a": 1}) == content_hash({"a": 1}) != content_hash({"a": 2})
    True
    """
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part if isinstance(part, bytes) else dump_json(part))
        digest.update(b"\0")
    return digest.hexdigest()[:16]


def file_sha256(path: Path) -> str:
    """The sha256 of a local file, in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _filesystem(root: str, is_local: bool) -> tuple[Any, str]:
    import pyarrow
    import pyarrow.fs

    if is_local:
        return pyarrow.fs.LocalFileSystem(), root
    try:
        return pyarrow.fs.FileSystem.from_uri(with_secrets(root))
    except (pyarrow.ArrowInvalid, OSError) as error:
        raise StorageError(
            "storage is a local path or a URI that pyarrow knows (s3://, gs://)",
            received=root,
            remedy=str(error),
        ) from error


def _replace(source: str, target: str) -> None:
    """One rename, or two for a folder, which replaces nothing that is there."""
    if not (os.path.isdir(source) and os.path.exists(target)):
        os.replace(source, target)
        return
    retired = f"{os.path.dirname(target)}/{_scratch_name()}"
    os.rename(target, retired)
    os.rename(source, target)
    shutil.rmtree(retired, ignore_errors=True)


def _walk(path: str) -> Iterator[str]:
    """A local path, and everything below it."""
    yield path
    for folder, folders, files in os.walk(path):
        yield from (os.path.join(folder, name) for name in (*folders, *files))


def _unwritable(error: OSError, where: str) -> StorageError:
    is_full = error.errno in _FULL
    return StorageError(
        "storage must be writable", received=_reason(error), where=where, remedy=_MAKE_ROOM if is_full else None
    )


def _reason(error: OSError) -> str:
    return error.strerror or str(error)


def _scratch_name() -> str:
    """A name that no listing shows. Files made under it get the permissions that the process gives any file."""
    return f".tmp-{uuid.uuid4().hex}"


def _sync(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
