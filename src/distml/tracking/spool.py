"""Entries that wait in storage for a tracker that is away: numbered files, each a list of them."""

from __future__ import annotations

from collections.abc import Sequence

from distml.storage import Storage
from distml.tracking.entries import Entry, from_dict, to_dict


class Spool:
    """The entries of one run under a key of storage, in the order of their files' numbers.

    Writing the same number again replaces the file. Raises `StorageError` where storage can't be written.
    """

    def __init__(self, storage: Storage, key: str) -> None:
        self._storage = storage
        self._key = key

    def numbers(self) -> list[int]:
        """The numbers of the files that are there, lowest first."""
        return [int(name.removesuffix(".json")) for name in self._storage.list(self._key)]

    def write(self, number: int, entries: Sequence[Entry]) -> None:
        self._storage.write_json(self._file(number), [to_dict(entry) for entry in entries])

    def read(self, number: int) -> list[Entry]:
        return [from_dict(value) for value in self._storage.read_json(self._file(number))]

    def delete(self, number: int) -> None:
        """Takes a file away, and with the last one the folder."""
        self._storage.delete(self._file(number))
        self._storage.delete_if_empty(self._key)

    def count(self) -> int:
        """How many entries wait."""
        return sum(len(self._storage.read_json(self._file(number))) for number in self.numbers())

    def _file(self, number: int) -> str:
        return f"{self._key}/{number:08d}.json"
