"""`Shards`: training rows in storage, for fits that read them again in each epoch instead of holding them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from distml.batch import FeatureBatch
from distml.storage import Storage

Item = TypeVar("Item")


@dataclass(frozen=True, kw_only=True)
class Shards:
    """Encoded rows, file by file. rows_at_once: how many are read together, at least, and shuffled among each other.

    They are read in the process of the fit itself, by a thread that is one group ahead: they are encoded already, so
    tasks of a cluster would only read them to send them on, and would need CPUs that the trials hold.
    """

    storage: Storage
    keys: tuple[str, ...]
    num_rows: int
    rows_at_once: int

    def __len__(self) -> int:
        return self.num_rows

    def groups(self, order: Iterable[int]) -> Iterator[FeatureBatch]:
        """The shards in an order, as many together as come to `rows_at_once`."""
        return _ahead(self._groups(order))

    def whole(self) -> FeatureBatch:
        """All rows, held: for fits that can't do otherwise."""
        return _sorted([self.read(index) for index in range(len(self.keys))])

    def sample(self, max_rows: int = 50_000) -> FeatureBatch:
        """Every so manieth row of each shard; all of them where there are no more."""
        step = -(-self.num_rows // max_rows) or 1
        return _sorted([self.read(index).take(slice(None, None, step)) for index in range(len(self.keys))])

    def _groups(self, order: Iterable[int]) -> Iterator[FeatureBatch]:
        group: list[FeatureBatch] = []
        for index in order:
            group.append(self.read(index))
            if sum(map(len, group)) >= self.rows_at_once:
                yield FeatureBatch.concat(group)
                group = []
        if group:
            yield FeatureBatch.concat(group)

    def read(self, index: int) -> FeatureBatch:
        """The rows of one file."""
        return FeatureBatch.from_bytes(self.storage.read_bytes(self.keys[index]))


def _sorted(batches: list[FeatureBatch]) -> FeatureBatch:
    batch = FeatureBatch.concat(batches)
    return batch.take(by_hash(batch))


def by_hash(batch: FeatureBatch) -> np.ndarray:
    """The order of the rows by their hashes, int64 [n]: the same whatever files they came in."""
    assert batch.rows is not None, "features carry the hashes of their rows"
    return np.argsort(batch.rows, kind="stable")


def _ahead(items: Iterator[Item]) -> Iterator[Item]:
    """The items, the next of which is made while one is worked with.

    >>> list(_ahead(iter([1, 2, 3])))
    [1, 2, 3]
    """
    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(next, items, None)
        while (item := waiting.result()) is not None:
            waiting = thread.submit(next, items, None)
            yield item
