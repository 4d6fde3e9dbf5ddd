"""Where a table is written: one file, or a folder of parts, in which nothing shows until all of it does."""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distml.errors import DataError, StorageError
from distml.lifecycle.scoring.parts import Format
from distml.storage import Storage

SUCCESS = "_SUCCESS"  # says that a folder is whole, and what it holds; readers of folders pass over such names
QUARANTINE = "_quarantine.csv"
_OURS = re.compile(rf"part-\d+\.parquet|{SUCCESS}|{QUARANTINE}")


@dataclass(frozen=True, kw_only=True)
class Destination:
    """`name` in the folder `home`: a file of a format, or a folder of Parquet parts."""

    home: Storage
    name: str
    kind: Format
    is_folder: bool

    @classmethod
    def parse(cls, uri: str) -> Destination:
        """A path or URI: a file by its ending, a folder by a slash at its end or by having no ending."""
        is_folder = uri.endswith("/") or "." not in uri.rpartition("/")[2]
        path = uri.rstrip("/") if "://" in uri else str(Path(uri).expanduser().absolute())
        folder, _, name = path.rpartition("/")
        ending = name.lower().rpartition(".")[2]
        if not is_folder and ending not in ("parquet", "csv"):
            raise DataError(
                "predictions go to a .parquet or .csv file, or to a folder",
                received=uri,
                where="--out",
                remedy="end a folder's name with a slash",
            )
        kind: Format = "csv" if ending == "csv" and not is_folder else "parquet"
        return cls(home=Storage(folder or "/"), name=name, kind=kind, is_folder=is_folder)

    @property
    def uri(self) -> str:
        return self.home.uri(self.name) + ("/" if self.is_folder else "")

    @property
    def quarantine(self) -> str:
        """The key of the file for what is not in the table."""
        return f"{self.name}/{QUARANTINE}" if self.is_folder else f"{self.name}.quarantine.csv"

    def check(self, read: Iterable[str], *, overwrite: bool = False) -> None:
        """Raises `DataError` where something would be lost: a file that is read, what is there already.

        overwrite: earlier predictions may be replaced; what isn't known to be such in a folder stays all the same.
        """
        places = [_real(self.home.uri(key)) for key in (self.name, self.quarantine)]
        for path in map(_real, read):
            if path in places or (self.is_folder and path.startswith(f"{places[0]}/")):
                raise DataError("predictions go to another place than the table", received=path, where="--out")
        place = Path(self.home.uri(self.name))
        if self.home.is_local and place.exists() and place.is_dir() != self.is_folder:
            wanted = "a folder" if self.is_folder else "a file"
            raise DataError(
                f"predictions go to {wanted}", received="something else of that name", where=str(place),
                remedy="remove it, or choose another name",
            )  # fmt: skip
        known = self.home.list(self.name, hidden=True) if self.is_folder else []
        self._check_replaceable(known)
        taken = known if self.is_folder else [key for key in (self.name, self.quarantine) if self.home.exists(key)]
        if taken and not overwrite:
            raise DataError(
                "predictions are written over nothing unless that is asked for",
                received=f"{self.uri if self.is_folder else self.home.uri(taken[0])} is there already",
                where="--out",
                remedy="--overwrite, or another name",
            )

    def _check_replaceable(self, names: list[str]) -> None:
        strangers = [name for name in names if not _OURS.fullmatch(name)]
        if names and SUCCESS not in names:
            strangers = strangers or names
        if strangers:
            raise DataError(
                "predictions go to a new folder, an empty one, or one with earlier predictions alone",
                received=f"one that has {strangers[0]}",
                where=self.uri,
                remedy="choose another folder, or remove it",
            )

    @contextmanager
    def scratch(self) -> Iterator[str]:
        """The key of a hidden folder beside, which is there for the block alone."""
        key = _scratch_name()
        existed = self.home.exists("")
        self.home.make_folder(key)
        try:
            yield key
        finally:
            if self.home.is_local:  # a worker that still writes finds it gone, and makes nothing in it
                self.home.rename(key, gone := _scratch_name())
                key = gone
            self.home.delete(key)
            if not existed:
                self.home.delete_if_empty()

    def publish_folder(self, scratch: str, files: Mapping[str, str], summary: Mapping[str, Any]) -> None:
        """Files of the scratch folder, key -> name, as the folder's only ones."""
        if self.home.is_local:
            self._fill(f"{scratch}/whole", files, summary)
            self.home.rename(f"{scratch}/whole", self.name)
            return
        self.home.delete(self.name)
        try:
            self._fill(self.name, files, summary)
        except BaseException:
            self.home.delete(self.name)
            raise

    def _fill(self, folder: str, files: Mapping[str, str], summary: Mapping[str, Any]) -> None:
        self.home.make_folder(folder)
        for key, name in files.items():
            self.home.rename(key, f"{folder}/{name}")
        self.home.write_json(f"{folder}/{SUCCESS}", dict(summary))

    def check_arrived(self, keys: Iterable[str]) -> None:
        """Raises `StorageError` for a part that a worker wrote and that isn't here."""
        for key in keys:
            if not self.home.exists(key):
                raise StorageError(
                    "every worker writes to the same storage",
                    received="a part that only its worker has",
                    where=self.uri,
                    remedy="on several machines, write to a folder that they share, or to s3://",
                )


def _real(path: str) -> str:
    return path if "://" in path else os.path.realpath(path)


def _scratch_name() -> str:
    return f".tmp-{uuid.uuid4().hex}"
