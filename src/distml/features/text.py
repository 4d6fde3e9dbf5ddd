"""Texts as weights of hashed n-grams: no vocabulary, so nothing is fitted and no word is unknown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from distml.config.features import Tokens
from distml.features.transforms import Transform
from distml.hashing import hash_column, mix


@dataclass(frozen=True, kw_only=True)
class TextTransform(Transform):
    """One text column as columns of n-gram weights, and a 0/1 column of what was missing if `indicator`.

    Each n-gram is counted in the bucket of its hash (Weinberger et al. 2009, without signs); a count c weighs
    1 + log(c), and a row's weights have the length 1. A missing or empty text is 0 throughout.
    """

    tokens: Tokens = "words"
    shortest: int = 1
    longest: int = 2
    num_buckets: int = 256
    indicator: bool = False
    kind: ClassVar[str] = "text"

    @property
    def names(self) -> tuple[str, ...]:
        own = (f"{self.column}#{bucket}" for bucket in range(self.num_buckets))
        return (*own, f"{self.column}_missing") if self.indicator else tuple(own)

    @property
    def width(self) -> int:
        return self.num_buckets + self.indicator

    def read(self, column: Any) -> Any:
        import pyarrow as pa

        return column if column.type == pa.string() else column.cast(pa.string())

    def write(self, values: Any, out: np.ndarray) -> None:
        out[:] = 0
        if self.indicator:
            out[:, -1] = values.is_null().to_numpy(zero_copy_only=False)
        rows, buckets, weights = weigh(*self.n_grams(values), len(values), self.num_buckets)
        out[rows, buckets] = weights

    def n_grams(self, texts: Any) -> tuple[np.ndarray, np.ndarray]:
        """Hashes uint64 [t] of the n-grams of a pyarrow array of texts, and the row of each, int64 [t]."""
        hashes, rows = (words if self.tokens == "words" else characters)(texts)
        return n_grams(hashes, rows, self.shortest, self.longest)


def words(texts: Any) -> tuple[np.ndarray, np.ndarray]:
    """Hashes uint64 [t] of the words of a pyarrow array of texts, and the row of each, int64 [t]."""
    import pyarrow.compute as pc

    lowered = pc.replace_substring_regex(pc.utf8_lower(texts), pattern=r"[^\pL\pN]+", replacement=" ")
    split = pc.utf8_split_whitespace(lowered)
    found, rows = pc.list_flatten(split), pc.list_parent_indices(split)
    kept = pc.not_equal(found, "")  # where a text begins or ends with what is no word
    return hash_column(found.filter(kept)), rows.filter(kept).to_numpy(zero_copy_only=False).astype(np.int64)


def characters(texts: Any) -> tuple[np.ndarray, np.ndarray]:
    """Code points uint64 [t] of a pyarrow array of texts in lower case, and the row of each, int64 [t].

    White space of any length is one space, and a text begins and ends with one.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    plain = pc.utf8_trim_whitespace(pc.replace_substring_regex(pc.utf8_lower(texts), pattern=r"\s+", replacement=" "))
    plain = pc.fill_null(pc.if_else(pc.equal(plain, ""), "", pc.binary_join_element_wise(" ", plain, " ", "")), "")
    lengths = pc.utf8_length(plain).to_numpy(zero_copy_only=False)
    joined = pc.binary_join(pa.ListArray.from_arrays(pa.array([0, len(plain)], pa.int32()), plain), "")[0].as_py()
    points = np.frombuffer(joined.encode("utf-32-le"), np.uint32).astype(np.uint64)
    return points, np.repeat(np.arange(len(lengths)), lengths)


def n_grams(hashes: np.ndarray, rows: np.ndarray, shortest: int, longest: int) -> tuple[np.ndarray, np.ndarray]:
    """Hashes of the runs of `shortest` to `longest` tokens that lie in one row, and their rows."""
    found, of_rows = [], []
    run = mix(hashes)
    for length in range(1, longest + 1):
        if length > 1:
            run = mix(run[:-1] + hashes[length - 1 :])  # [t - length + 1]
        if length >= shortest:
            start = rows[: len(run)]
            is_whole = start == rows[length - 1 :]
            found.append(run[is_whole])
            of_rows.append(start[is_whole])
    return np.concatenate(found), np.concatenate(of_rows)


def weigh(
    grams: np.ndarray, rows: np.ndarray, num_rows: int, num_buckets: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows, buckets and weights, each [m], of the cells that are not 0."""
    buckets = (grams % np.uint64(num_buckets)).astype(np.int64)
    cells, counts = np.unique(rows * num_buckets + buckets, return_counts=True)
    rows, buckets = np.divmod(cells, num_buckets)
    weights = 1 + np.log(counts.astype(float))
    # Summed in the order of the buckets, one after another, so that a row's length is the same among any others.
    lengths = np.sqrt(np.bincount(rows, weights=np.square(weights), minlength=num_rows))
    return rows, buckets, weights / lengths[rows]
