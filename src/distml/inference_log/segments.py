"""Segments: Parquet files below `log/<model>/<kind>/<date>/`, each written once and whole, none ever changed.

Writers share nothing but the folder: a segment's name holds its writer, when that began and a number, so that no two
are alike and none asks what is there. What a segment holds is its kind's to say; so far there is one, `feedback`.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from distml.errors import StorageError
from distml.storage import Storage

FOLDER = "log"
FORMAT = 1
_FORMAT_KEY, _KIND_KEY = b"distml.log.format", b"distml.log.kind"  # in the Parquet file's metadata
_SUFFIX = ".parquet"
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, kw_only=True)
class Segments:
    """The segments of one kind that a model has."""

    storage: Storage
    name: str
    kind: str

    @property
    def key(self) -> str:
        return f"{FOLDER}/{self.name}/{self.kind}"

    def names(self, since: datetime | None = None) -> Iterator[str]:
        """`<date>/<file>` of every segment written on that day or later, in the order of days; since: in UTC."""
        first = "" if since is None else since.date().isoformat()
        for date in self.storage.list(self.key):
            if date >= first:
                files = self.storage.list(f"{self.key}/{date}")
                yield from (f"{date}/{file}" for file in files if file.endswith(_SUFFIX))

    def read(self, name: str) -> Any:
        """A segment as a pyarrow table. Raises `StorageError` for a file that is none, or of another format."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        content = self.storage.read_bytes(f"{self.key}/{name}")
        try:
            table = pq.read_table(pa.BufferReader(content))
        except (pa.ArrowInvalid, OSError) as error:
            raise self._unreadable(name, f"no Parquet file: {error}") from error
        found = table.schema.metadata or {}
        told = (found.get(_FORMAT_KEY, b"none").decode(), found.get(_KIND_KEY, b"none").decode())
        if told != (str(FORMAT), self.kind):
            raise self._unreadable(name, f"format {told[0]} of kind {told[1]}")
        return table

    def _unreadable(self, name: str, received: str) -> StorageError:
        return StorageError(
            f"a segment is a Parquet file of format {FORMAT} and kind {self.kind}",
            received=received[:200],
            where=self.storage.uri(f"{self.key}/{name}"),
            remedy="delete it, or read it with the distml that wrote it",
        )


class SegmentWriter:
    """Writes segments under names of its own. writer: who, such as a replica's id."""

    def __init__(self, segments: Segments, writer: str) -> None:
        self._segments = segments
        self._prefix = f"{_NOT_IN_A_NAME.sub('_', writer)}-{datetime.now(UTC):%Y%m%dT%H%M%S%f}"
        self._numbers = itertools.count()

    def write(self, table: Any) -> str:
        """Writes a pyarrow table as a segment and returns its name, `<date>/<file>`, once it is durable.

        Raises `StorageError`; then there is no segment. What is half-written no reader sees.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        told = {_FORMAT_KEY: str(FORMAT).encode(), _KIND_KEY: self._segments.kind.encode()}
        sink = pa.BufferOutputStream()
        pq.write_table(table.replace_schema_metadata(told), sink, compression="zstd")
        name = f"{datetime.now(UTC).date().isoformat()}/{self._prefix}-{next(self._numbers):06d}{_SUFFIX}"
        self._segments.storage.write_bytes(f"{self._segments.key}/{name}", sink.getvalue().to_pybytes())
        return name
